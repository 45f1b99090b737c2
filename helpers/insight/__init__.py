"""Looking inside a network. Everything here takes any `nn.Module`."""

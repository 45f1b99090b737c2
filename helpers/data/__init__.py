"""Images on the way to the device: data sets, decoding, batches, augmentation."""

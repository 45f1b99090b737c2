"""The networks, one file per family, and what builds them by name.

Each constructor takes ``num_classes``, the number of logits, and ``in_channels``, the
channels of an image; where the network depends on it, also ``image_size``, the side of
the square images in pixels. There is no softmax: cross-entropy on logits contains it.
"""

from helpers.models.building import create_model, model_names
from helpers.models.conv_net import ConvNet
from helpers.models.improved_cnn import ImprovedCNN
from helpers.models.lenet5 import LeNet5
from helpers.models.mlp import MLP
from helpers.models.multi_head import MultiHeadCNN
from helpers.models.one_conv import OneConvCNN
from helpers.models.resnet18 import ResNet18
from helpers.models.saved import SavedModel, load_model, save_model
from helpers.models.simple_cnn import SimpleCNN
from helpers.models.stroke_net import StrokeNet
from helpers.models.transfer_net import FeatureClassifier, TransferNet

"""Images on the way to the device: data sets, decoding, batches, augmentation."""

from helpers.data.augment import Augment
from helpers.data.batches import Batches, augmented_views
from helpers.data.catalogue import load_data
from helpers.data.splits import Split

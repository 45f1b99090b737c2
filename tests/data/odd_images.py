"""Image files on which decoders stumble."""

from __future__ import annotations

import struct

# A DDS file of an unknown format, for which Pillow raises NotImplementedError.
ODD_DDS = (
    b"DDS "
    + struct.pack("<7I", 124, 0x1007, 16, 16, 0, 0, 1)
    + bytes(44)
    + struct.pack("<2I", 32, 4)
    + b"DX10"
    + struct.pack("<14I", *[0] * 5, 0x1000, *[0] * 4, 9999, 3, 0, 1)
    + bytes(1028)
)

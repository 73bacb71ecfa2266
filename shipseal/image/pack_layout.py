"""Take the image and its bundles out of an evidence pack that somebody hands over. The rest of it is for people.

What is in a pack is judged by the policy and the trust root of whoever verifies: those that came with it are not read.
"""

from pathlib import Path

from shipseal.errors import VerificationFailed
from shipseal.oci.layout import Layout
from shipseal.oci.pack import LAYOUT, unpack


def layout_of(file: Path, target: Path) -> Layout:
    """Take a pack apart below a new directory, and return the layout in it.

    Raises:
        UsageError: it cannot be read, is no pack, or is cut short.
        VerificationFailed: it is not as `pack` writes it, or holds another image than it says.
    """
    pack, layout = unpack(file, target), Layout(target / LAYOUT)
    image = layout.only_image()
    if str(image) != pack.about.get("image"):
        raise VerificationFailed(
            f"{file} holds another image than it says",
            why=(f"it says   {str(pack.about.get('image'))[:100]}", f"it holds  {image}"),
            remedy="do not use it; have it packed again from the image's registry",
        )
    return layout

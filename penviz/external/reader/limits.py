"""How large a foreign file and what it claims may be, each limit with its reason."""

from __future__ import annotations

from dataclasses import dataclass

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True)
class Limits:
    """Limits of an inspection; a file over one of them is refused in one sentence.

    Attributes:
        file_bytes: the whole file, or all shards together. ViT-H/14 in float32 takes 2.5 GB; four classifiers
            in five take less than 0.4 GB.
        header_bytes: JSON at the head of a safetensors file or in an index. 20,000 entries of 200 bytes; its
            parsed form takes up to 25 times as much memory.
        metadata_chars: all text in the metadata of a safetensors file.
        pickle_bytes: the pickle in a torch zip. A network of 3,000 tensors with its Adam state has 2.5 MB.
        n_opcodes: of a pickle. The same network has 0.4 million; an opcode can cost 100 bytes of memory.
        n_memo: entries of a pickle's memo, and its largest index.
        depth: containers in containers, of a pickle's tree and of its marks.
        text_chars: a string in a pickle; longer ones cannot be the name of anything.
        integer_digits: of an integer written as text, which takes quadratic time to read.
        n_tensors: arrays in a file. The deepest network of timm has some 3,000.
        n_axes: of a tensor; numpy stops at 64, networks at 6.
        n_elements: of one tensor, so that products of lengths stay below 2**63.
        key_chars: name of a tensor.
        view_ratio: bytes of all tensors over bytes of all storages: tied weights and a second name for the
            same weights are fine, a thousand views of one storage are a bomb.
        n_members: of a zip. An ImageFolder has one an image: ImageNet's validation split has 50,000.
        name_bytes: path of a zip member.
        directory_bytes: the central directory of a zip.
        inflated_bytes: all members of a zip together: activations of 1.3 million images in 768 dimensions.
        inflation_ratio: inflated over deflated bytes of one member; deflate cannot exceed 1,032, images and
            activations stay below 20. It holds for members over inflation_free_bytes only.
        inflation_free_bytes: a member this small may be of any ratio: a label array of zeros packs well.
        array_header_bytes: of an .npy; numpy itself asks for trust above 10,000.
        image_bytes: one image file in a zip; image_pixels: width times height, as of a large
            camera.
        image_side: of an image, in pixels.
        n_classes: folders of an ImageFolder; ImageNet-21k has 21,841.
        chunk_bytes: how much of a file is read at once.
    """

    file_bytes: int = 4 * GIB
    header_bytes: int = 4 * MIB
    metadata_chars: int = MIB
    pickle_bytes: int = 16 * MIB
    n_opcodes: int = 1_000_000
    n_memo: int = 500_000
    depth: int = 64
    text_chars: int = MIB
    integer_digits: int = 1000
    n_tensors: int = 20_000
    n_axes: int = 16
    n_elements: int = 2**40
    key_chars: int = 512
    view_ratio: int = 4
    n_members: int = 100_000
    name_bytes: int = 1024
    directory_bytes: int = 32 * MIB
    inflated_bytes: int = 4 * GIB
    inflation_ratio: int = 100
    inflation_free_bytes: int = 8 * MIB
    array_header_bytes: int = 10_000
    image_bytes: int = 64 * MIB
    image_pixels: int = 64 * 10**6
    image_side: int = 20_000
    n_classes: int = 25_000
    chunk_bytes: int = 4 * MIB

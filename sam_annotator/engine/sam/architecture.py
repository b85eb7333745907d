"""Which SAM a file of weights is for, told from the weights: a published one, or one of other sizes.

Names and shapes of the weights tell everything but the number of heads of the decoder's attention, which is eight in
all published ones.
"""

from functools import partial
from typing import Any

import torch

from sam_annotator.engine.sam.torchvision_standin import import_segment_anything

_State = dict[str, torch.Tensor]

PUBLISHED_WIDTHS = {768: "vit_b", 1024: "vit_l", 1280: "vit_h"}
_DECODER_HEADS = 8


def sam_width(state: _State) -> int | None:
    """Width of the image encoder's tokens; None: these are not the weights of a SAM."""
    patches = state.get("image_encoder.patch_embed.proj.weight")
    positions = state.get("image_encoder.pos_embed")
    for tensor, rank, axis in ((positions, 4, -1), (patches, 4, 0)):
        if tensor is not None and tensor.ndim == rank:
            return tensor.shape[axis]
    return None


def build_published(model_type: str) -> Any:
    """The package's `vit_b`, `vit_l` or `vit_h`, on the meta device: without values."""
    registry = import_segment_anything().sam_model_registry
    with torch.device("meta"):  # initial weights would be drawn for seconds and then thrown away
        return registry[model_type]()


def build_like(state: _State) -> Any:
    """A `Sam` of the sizes that the weights have, on the meta device: without values.

    Raises:
        ValueError: the sizes cannot be told, or do not go together; a sentence's end that says why.
    """
    try:
        with torch.device("meta"):
            return _build(state)
    except (KeyError, IndexError, AssertionError, RuntimeError, ZeroDivisionError, StopIteration) as error:
        what = f"there is no {error.args[0]} in it" if isinstance(error, KeyError) else "their sizes do not go together"
        raise ValueError(what) from error


def _build(state: _State) -> Any:
    import_segment_anything()
    from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    channels = state["prompt_encoder.no_mask_embed.weight"].shape[1]
    encoder = _encoder(state)
    grid = encoder.img_size // state["image_encoder.patch_embed.proj.weight"].shape[-1]
    layers = _count(state, "mask_decoder.transformer.layers.")
    heads = "mask_decoder.output_hypernetworks_mlps."
    return Sam(
        image_encoder=encoder,
        prompt_encoder=PromptEncoder(
            embed_dim=channels,
            image_embedding_size=(grid, grid),
            input_image_size=(encoder.img_size, encoder.img_size),
            mask_in_chans=state["prompt_encoder.mask_downscaling.6.weight"].shape[1],
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=_count(state, heads) - 1,
            transformer=TwoWayTransformer(
                depth=layers,
                embedding_dim=channels,
                num_heads=_DECODER_HEADS,
                mlp_dim=state["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
            ),
            transformer_dim=channels,
            iou_head_depth=_count(state, "mask_decoder.iou_prediction_head.layers."),
            iou_head_hidden_dim=state["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
        ),
    )


def _encoder(state: _State) -> Any:
    from segment_anything.modeling import ImageEncoderViT

    patches, positions = state["image_encoder.patch_embed.proj.weight"], state["image_encoder.pos_embed"]
    width, side, grid = patches.shape[0], patches.shape[-1], positions.shape[1]
    tables = [state[f"image_encoder.blocks.{block}.attn.rel_pos_h"] for block in range(_blocks(state))]
    sizes = [(len(table) + 1) // 2 for table in tables]
    return ImageEncoderViT(
        img_size=grid * side,
        patch_size=side,
        embed_dim=width,
        depth=len(tables),
        num_heads=width // tables[0].shape[1],
        mlp_ratio=(state["image_encoder.blocks.0.mlp.lin1.weight"].shape[0] + 0.5) / width,  # is rounded down
        out_chans=state["image_encoder.neck.0.weight"].shape[0],
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=next((size for size in sizes if size != grid), 0),
        global_attn_indexes=tuple(block for block, size in enumerate(sizes) if size == grid),
    )


def _blocks(state: _State) -> int:
    return _count(state, "image_encoder.blocks.")


def _count(state: _State, prefix: str) -> int:
    """How many modules are numbered behind a prefix."""
    return len({name[len(prefix) :].partition(".")[0] for name in state if name.startswith(prefix)})

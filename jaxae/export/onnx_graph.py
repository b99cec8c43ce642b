"""A part of a folded model as an ONNX graph: Reshape, Gemm, Relu and Sigmoid.

Every ONNX runtime has these. Images are f32[batch, H, W, C] in [0, 1], latents
f32[batch, latent_dim], for any batch, an empty one too.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import DenseLayer, FoldedModel, Part

OPSET = 17
IR_VERSION = 8
"""Those of ONNX 1.12, of 2022: runtimes since then read them."""
INPUTS_AND_OUTPUTS = {
    "encoder": ("images", "latents"),
    "decoder": ("latents", "images"),
    "denoiser": ("images", "denoised"),
}
"""The graph's names for what a part takes and gives."""
ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid"}


class Chain(NamedTuple):
    """Nodes one after another, and their constants."""

    nodes: list[Any]
    constants: list[Any]


def onnx_graph(folded: FoldedModel, part: Part, *, image_shape: tuple[int, int, int]) -> bytes:
    """Return the contents of an .onnx file. image_shape: height, width, channels.

    Raises InputError if onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise InputError(
            "onnx is not installed: pip install onnx, or leave onnx out of the formats"
        ) from None

    helper = onnx.helper
    layers = folded.layers(part)
    takes, gives = INPUTS_AND_OUTPUTS[part]
    latent_dim = folded.decoder[0].kernel.shape[0]
    shapes = {
        "images": image_shape,
        "denoised": image_shape,
        "latents": (latent_dim,),
        "rows": layers[0].kernel.shape[:1],
    }

    nodes, constants = _dense_layers(onnx, layers, first="rows", last="output_rows")
    nodes.insert(0, helper.make_node("Reshape", [takes, "rows_shape"], ["rows"]))
    nodes.append(helper.make_node("Reshape", ["output_rows", f"{gives}_shape"], [gives]))

    for name in ("rows", gives):
        # 0 keeps the batch as it is; -1 would be refused for an empty one.
        shape = (0, *shapes[name])
        integer = onnx.TensorProto.INT64
        constants.append(helper.make_tensor(f"{name}_shape", integer, [len(shape)], shape))

    def value(name: str) -> Any:
        number = onnx.TensorProto.FLOAT
        return helper.make_tensor_value_info(name, number, ["batch", *shapes[name]])

    graph = helper.make_graph(nodes, part, [value(takes)], [value(gives)], constants)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="jaxae",
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _dense_layers(onnx: Any, layers: Sequence[DenseLayer], *, first: str, last: str) -> Chain:
    """Return the layers from the value called first to the value called last."""
    nodes: list[Any] = []
    constants: list[Any] = []
    x = first

    for i, layer in enumerate(layers):
        output = last if i == len(layers) - 1 else f"layer_{i}"
        affine = output if layer.activation == "linear" else f"affine_{i}"

        nodes.append(onnx.helper.make_node("Gemm", [x, f"kernel_{i}", f"bias_{i}"], [affine]))
        if layer.activation != "linear":
            activation = ACTIVATIONS[layer.activation]
            nodes.append(onnx.helper.make_node(activation, [affine], [output]))

        constants.append(onnx.numpy_helper.from_array(layer.kernel, f"kernel_{i}"))
        constants.append(onnx.numpy_helper.from_array(layer.bias, f"bias_{i}"))
        x = output

    return Chain(nodes, constants)

"""A part of a folded model as an ONNX graph: Reshape, Gemm, Relu and Sigmoid, which every ONNX runtime has.

Images are f32[batch, H, W, C] in [0, 1], latents f32[batch, latent_dim], for any batch, an empty one too.
"""

from typing import Any

from jaxae.errors import InputError
from jaxae.export.fold_batch_norm import DenseLayer, FoldedModel, Part

OPSET, IR_VERSION = 17, 8
"""Those of ONNX 1.12, of 2022: runtimes of since then read them."""
VALUES = {
    "encoder": ("images", "latents"),
    "decoder": ("latents", "images"),
    "denoiser": ("images", "denoised"),
}
"""What a part takes and gives, by the names that the graph has for them."""
NODES = {"relu": "Relu", "sigmoid": "Sigmoid"}


def onnx_graph(folded: FoldedModel, part: Part, *, image_shape: tuple[int, int, int]) -> bytes:
    """The contents of an .onnx file. image_shape: height, width, channels. Raises InputError where onnx is not installed."""
    try:
        import onnx
    except ImportError:
        raise InputError(
            "onnx is not installed: pip install onnx, or leave onnx out of --to"
        ) from None
    helper, (takes, gives), layers = onnx.helper, VALUES[part], folded.layers(part)
    latents = folded.decoder[0].kernel.shape[0]
    shapes = {
        "images": image_shape,
        "denoised": image_shape,
        "latents": (latents,),
        "rows": layers[0].kernel.shape[:1],
    }
    nodes, constants = _dense_layers(onnx, layers, first="rows", last="output_rows")
    nodes.insert(0, helper.make_node("Reshape", [takes, "rows_shape"], ["rows"]))
    nodes.append(helper.make_node("Reshape", ["output_rows", f"{gives}_shape"], [gives]))
    for name in ("rows", gives):
        shape = (
            0,
            *shapes[name],
        )  # 0 keeps the batch as it is; -1 would be refused for an empty one
        constants.append(
            helper.make_tensor(f"{name}_shape", onnx.TensorProto.INT64, [len(shape)], shape)
        )
    ends = [
        helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, ["batch", *shapes[x]])
        for x in (takes, gives)
    ]
    graph = helper.make_graph(nodes, part, ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="jaxae"
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _dense_layers(
    onnx: Any, layers: tuple[DenseLayer, ...], *, first: str, last: str
) -> tuple[list[Any], list[Any]]:
    """The nodes from the value called first to the one called last, and their constants."""
    nodes, constants, x = [], [], first
    for i, layer in enumerate(layers):
        end = last if i == len(layers) - 1 else f"layer_{i}"
        affine = end if layer.activation == "linear" else f"affine_{i}"
        nodes.append(onnx.helper.make_node("Gemm", [x, f"kernel_{i}", f"bias_{i}"], [affine]))
        if layer.activation != "linear":
            nodes.append(onnx.helper.make_node(NODES[layer.activation], [affine], [end]))
        constants.append(onnx.numpy_helper.from_array(layer.kernel, f"kernel_{i}"))
        constants.append(onnx.numpy_helper.from_array(layer.bias, f"bias_{i}"))
        x = end
    return nodes, constants

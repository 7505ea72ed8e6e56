// All kernels, for the instruction set of the translation unit that includes this file; INK_TABLE
// names the table it defines. Not to be included elsewhere.
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tensor/cpu/kernels.h"
#include "tensor/cpu/vector.h"
#include "tensor/half.h"
// clang-format off: these build on one another, in this order.
#include "tensor/cpu/channels.h"
#include "tensor/cpu/elementwise.h"
#include "tensor/cpu/rows.h"
#include "tensor/cpu/tiles.h"
// clang-format on

const ink_kernels INK_TABLE = {
    .add = add,
    .add_to = add_to,
    .mul = mul,
    .mul_to = mul_to,
    .scale = scale,
    .scale_to = scale_to,
    .silu = silu,
    .silu_back = silu_back,
    .gelu_tanh = gelu_tanh,
    .gelu_tanh_back = gelu_tanh_back,
    .gelu_erf = gelu_erf,
    .gelu_erf_back = gelu_erf_back,
    .gelu_quick = gelu_quick,
    .gelu_quick_back = gelu_quick_back,
    .relu = relu,
    .relu_back = relu_back,
    .tanh = hyperbolic_tangent,
    .tanh_back = hyperbolic_tangent_back,
    .geglu = geglu,
    .geglu_bf16 = geglu_bf16,
    .geglu_back = geglu_back,
    .swiglu = swiglu,
    .swiglu_back = swiglu_back,
    .dropout = dropout,
    .huber = huber,
    .huber_back = huber_back,
    .sum = sum,
    .dot = dot,
    .maximum = maximum,
    .rms_norm = rms_norm,
    .rms_norm_back = rms_norm_back,
    .layer_norm = layer_norm,
    .layer_norm_bf16 = layer_norm_bf16,
    .layer_norm_back = layer_norm_back,
    .channel_sums = channel_sums,
    .scale_channels = scale_channels,
    .channel_products = channel_products,
    .blend_channels = blend_channels,
    .softmax = softmax,
    .softmax_back = softmax_back,
    .log_softmax = log_softmax,
    .log_softmax_back = log_softmax_back,
    .cross_entropy = cross_entropy,
    .rope = rope,
    .block_product = block_product,
    .attend = attend,
    .attend_back = attend_back,
};

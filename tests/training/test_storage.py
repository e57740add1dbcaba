"""Stored weights are bfloat16, vectors exact, and the module holds just what was stored."""

import torch
from torch import nn

from training.storage import round_weights


def test_the_module_holds_what_is_stored() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 4, 3)
    module = nn.Sequential(convolution, nn.BatchNorm2d(4))
    assert convolution.bias is not None
    bias = convolution.bias.detach().clone()
    before = convolution.weight.detach().clone()
    tensors = round_weights(module)
    assert tensors["0.weight"].dtype == torch.bfloat16
    assert tensors["0.bias"].dtype == tensors["1.running_var"].dtype == torch.float32
    assert torch.equal(convolution.bias, bias)
    assert not torch.equal(convolution.weight, before)
    assert all(
        torch.equal(tensor.to(module.state_dict()[name].dtype), module.state_dict()[name])
        for name, tensor in tensors.items()
    )

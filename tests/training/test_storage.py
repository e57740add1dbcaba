"""Stored weights are bfloat16, vectors exact, and the module holds just what was stored."""

import torch
from torch import nn

from training.storage import round_weights


def test_the_module_holds_what_is_stored():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    bias = module[0].bias.detach().clone()
    before = module[0].weight.detach().clone()
    tensors = round_weights(module)
    assert tensors["0.weight"].dtype == torch.bfloat16
    assert tensors["0.bias"].dtype == tensors["1.running_var"].dtype == torch.float32
    assert torch.equal(module[0].bias, bias)
    assert not torch.equal(module[0].weight, before)
    assert all(
        torch.equal(tensor.to(module.state_dict()[name].dtype), module.state_dict()[name])
        for name, tensor in tensors.items()
    )

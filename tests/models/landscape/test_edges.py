"""Repeated edges: what `F.pad` gives, forwards and backwards, whatever the layout; compiled, too."""

import pytest
import torch
import torch.nn.functional as F

from models.landscape.edges import EdgeConv, RepeatEdge


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_as_pad_does(layout: torch.memory_format) -> None:
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    ours, theirs = RepeatEdge.apply(x), F.pad(x, (1, 1, 1, 1), mode="replicate")  # type: ignore[no-untyped-call]
    assert torch.equal(ours, theirs)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    grad = torch.randn_like(theirs)
    untouched = grad.clone()
    torch.testing.assert_close(torch.autograd.grad(ours, x, grad), torch.autograd.grad(theirs, x, grad))
    assert torch.equal(grad, untouched)


def test_a_convolution_that_repeats_the_edge() -> None:
    conv = EdgeConv(3, 5)
    plain = torch.nn.Conv2d(3, 5, 3, padding=1, padding_mode="replicate")
    plain.load_state_dict(conv.state_dict())
    x = torch.randn(2, 3, 6, 7)
    assert torch.equal(conv(x), plain(x))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own doing
def test_can_be_compiled() -> None:
    x = torch.randn(1, 2, 3, 3).requires_grad_()
    compiled = torch.compile(RepeatEdge.apply, backend="aot_eager", fullgraph=True)
    ours, theirs = compiled(x), F.pad(x, (1, 1, 1, 1), mode="replicate")
    assert torch.equal(ours, theirs)
    grad = torch.randn_like(theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, x, grad), torch.autograd.grad(theirs, x, grad))

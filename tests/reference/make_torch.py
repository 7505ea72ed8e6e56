"""Small files as torch.save writes them, and what torch reads from them.

Usage: python make_torch.py [OUT]          (OUT defaults to ../fixtures/weights/torch)

  plain-<p>.pt       a state dict written with pickle protocol p = 2, 3, 4, 5: several types, a transposed
                     and a sliced view, two names for one storage, a Parameter, a scalar, an empty tensor
  checkpoint.ckpt    the same inside {"state_dict": ...} of a training checkpoint
  nested.pth         {"params_ema": ...} as upscalers have it
  trained.ckpt       the same as Lightning left it beside its callbacks, with NumPy's numbers and settings
  parameters.pt      the same in a ParameterDict, as the first textual inversions were saved
  expected.safetensors   the tensors of all of these, contiguous
  old.pt             the same in the form before PyTorch 1.6
  foreign.pt         a dict that asks for a global which tensors do not need
"""

import argparse
import collections
import fractions
import pathlib
import sys
import types

import numpy as np
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent


def tensors():
    g = torch.Generator().manual_seed(1)
    base = torch.randn(3, 4, 2, generator=g)
    shared = torch.randn(6, generator=g)
    return collections.OrderedDict(
        [
            ("model.half", torch.randn(3, 5, generator=g).half()),
            ("model.brain", torch.randn(7, generator=g).bfloat16()),
            ("model.count", torch.arange(-3, 3, dtype=torch.int32)),
            ("model.long", torch.arange(4)),
            ("model.plain", base),
            ("model.turned", base.permute(2, 0, 1)),
            ("model.sliced", base[1:, 1:3]),
            ("model.tied", shared),
            ("model.tied_again", shared),
            ("model.tail", shared[2:]),
            ("model.scalar", torch.tensor(2.5)),
            ("model.empty", torch.zeros(0, 3)),
            ("model.parameter", torch.nn.Parameter(torch.randn(2, 2, generator=g))),
            ("model.fp8", torch.randn(4, generator=g).to(torch.float8_e4m3fn)),
        ]
    )


def lightning_callback():
    """The class that keys the callbacks of a Lightning checkpoint; only its name is stored."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    for part in ("pytorch_lightning", "pytorch_lightning.callbacks", name):
        sys.modules[part] = types.ModuleType(part)
    sys.modules[name].ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": name})
    return sys.modules[name].ModelCheckpoint


def parameters(state):
    made = torch.nn.ParameterDict()
    for name, tensor in state.items():
        made._parameters[name] = torch.nn.Parameter(tensor, requires_grad=False)
    return made


def trained(state):
    return {
        "callbacks": {lightning_callback(): {"best_model_score": np.float64(0.25), "best_model_path": b"\xff"}},
        "hparams": argparse.Namespace(lr=0.1, sizes=torch.Size([3, 4]), kinds={"a", "b"}),
        "losses": np.arange(3.0),
        "device": torch.device("cpu"),
        "state_dict": state,
    }


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "fixtures" / "weights" / "torch")
    out.mkdir(parents=True, exist_ok=True)
    state = tensors()
    for protocol in (2, 3, 4, 5):
        torch.save(state, out / f"plain-{protocol}.pt", pickle_protocol=protocol)
    state._metadata = collections.OrderedDict([("", {"version": 1})])
    torch.save({"epoch": 3, "lr": 0.1, "name": "tiny", "best": None, "state_dict": state}, out / "checkpoint.ckpt")
    torch.save({"params_ema": tensors()}, out / "nested.pth")
    torch.save(trained(tensors()), out / "trained.ckpt")
    torch.save({"state_dict": parameters(tensors())}, out / "parameters.pt")
    torch.save(tensors(), out / "old.pt", _use_new_zipfile_serialization=False)
    torch.save({"w": torch.zeros(2), "rate": fractions.Fraction(1, 2)}, out / "foreign.pt")
    # What can be computed with; the others are listed with their type and shape alone.
    usable = (torch.float32, torch.float16, torch.bfloat16, torch.int32)
    save_file(
        {k: v.detach().clone().contiguous() for k, v in tensors().items() if v.dtype in usable},
        out / "expected.safetensors",
    )


main()

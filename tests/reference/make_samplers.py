"""Noise schedules, samplers and random numbers as diffusers, k-diffusion and torch have them.

Usage: python make_samplers.py [OUT]        (OUT defaults to ../fixtures/diffusion)

OUT/samplers.json lists cases: {"name", "sampler", "curve", "steps", "first", "eta", "seed", "clip", "config"}, and
"brownian" where noise is that of torchsde's BrownianTree under the seed;
OUT/samplers.safetensors holds for each
  <name>.timesteps F64 as F32 [evaluations]   what the network was told, in the order of its evaluations
  <name>.sigmas    F32 [steps + 1]            where the scheduler has them
  <name>.inputs    F32 [evaluations, N]       what the network was given
  <name>.latents   F32 [1 + steps, N]         the latent before and after each whole step
The network is `answer` below. Initial noise and fresh noise come from torch.manual_seed(seed) on the CPU.

OUT/brownian.safetensors: <kind>.<seed>.<low>.<high> F32 [4, 2 + N], steps from one sigma to another (the first two
numbers) and their noise by k-diffusion's BrownianTreeNoiseSampler; kind is cpu, or cuda with the normals of cuda_randn.
seeds I32 [cases, 6 + 6]: entropy and spawn key (two words each; -1 at the end: none) and six words of numpy's
SeedSequence.

OUT/schedules.safetensors: <betas>[.zero].alphas_cumprod F32 [1000]; beta.quantiles F64 pairs as F32.
OUT/noise.safetensors: cpu.<seed>.<n> F32, torch.randn(n); cpu.<seed>.<n>.then F32 the five that follow;
  cpu_double.<seed>.<n> I32 (the bits, two words each); cuda.<seed>.<n>.<threads> F32, by curand's published
  layout (no CUDA device is needed) in double precision, two successive draws.
"""

import contextlib
import json
import math
import pathlib
import sys
import types

import numpy as np
import scipy.stats
import torch
import torchsde._brownian.brownian_interval as intervals
from safetensors.torch import save_file

import diffusers
from diffusers.schedulers.scheduling_utils import AysSchedules

HERE = pathlib.Path(__file__).parent
SHAPE = (1, 4, 3, 3)
N = 36

# k-diffusion's package pulls in training code; its samplers and schedules need none of it.
package = types.ModuleType("k_diffusion")
package.__path__ = [str(pathlib.Path(sys.prefix) / f"lib/python3.{sys.version_info.minor}/site-packages/k_diffusion")]
sys.modules["k_diffusion"] = package
utils = types.ModuleType("k_diffusion.utils")
utils.append_dims = lambda x, n: x[(...,) + (None,) * (n - x.ndim)]
sys.modules["k_diffusion.utils"] = utils
import k_diffusion.sampling as kd  # noqa: E402
import k_diffusion.external as kx  # noqa: E402

SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


def answer(x, t):
    """The network: smooth, bounded, different for each element and timestep."""
    u = float(t) / 1000
    i = np.arange(N, dtype=np.float64).reshape(SHAPE)
    y = (0.9 - 0.5 * u) * x.double().numpy() + (0.2 + 0.1 * u) * np.sin(1.7 * x.double().numpy() + 0.3 * i)
    return torch.from_numpy(y).float()


class Case:
    def __init__(self, name, sampler, steps, curve="default", first=0, eta=None, seed=7, **config):
        self.about = dict(name=name, sampler=sampler, curve=curve, steps=steps, first=first, seed=seed, config={**SD, **config})
        if eta is not None:
            self.about["eta"] = eta
        self.generator = torch.Generator().manual_seed(seed)
        self.timesteps, self.inputs, self.latents, self.sigmas = [], [], [], None

    def network(self, x, t):
        self.timesteps.append(float(t))
        self.inputs.append(x.flatten().clone())
        return answer(x, t)

    def noise(self):
        return torch.randn(SHAPE, generator=self.generator)

    def tensors(self):
        out = {
            "timesteps": torch.tensor(self.timesteps, dtype=torch.float32),
            "inputs": torch.stack(self.inputs),
            "latents": torch.stack([x.flatten() for x in self.latents]),
        }
        if self.sigmas is not None:
            out["sigmas"] = self.sigmas.float()
        return {f"{self.about['name']}.{k}": v for k, v in out.items()}


CURVES = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas"}


def with_diffusers(case, cls, orders=1, pass_eta=False, custom=None, **extra):
    """Run a diffusers scheduler; `orders` evaluations make a step of ours (the last step has one)."""
    a = case.about
    config = {**a["config"], **extra}
    if a["curve"] in CURVES:
        config[CURVES[a["curve"]]] = True
    scheduler = cls(**config)
    if custom:
        scheduler.set_timesteps(**custom)
    else:
        scheduler.set_timesteps(a["steps"])
    if hasattr(scheduler, "sigmas") and orders == 1 and len(scheduler.sigmas) == len(scheduler.timesteps) + 1:
        case.sigmas = scheduler.sigmas.clone()
    skip = a["first"] * orders
    timesteps = scheduler.timesteps[skip:]
    if a["first"]:
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(skip)
        clean = torch.linspace(-1, 1, N).reshape(SHAPE)
        x = scheduler.add_noise(clean, case.noise(), timesteps[:1])
    else:
        x = case.noise() * scheduler.init_noise_sigma
    case.latents.append(x)
    takes_generator = "generator" in scheduler.step.__code__.co_varnames
    for i, t in enumerate(timesteps):
        out = case.network(scheduler.scale_model_input(x, t), t)
        arguments = {"generator": case.generator} if takes_generator else {}
        if pass_eta:
            arguments["eta"] = a["eta"]
        x = scheduler.step(out, t, x, return_dict=False, **arguments)[0]
        if orders == 1 or i % 2 == 1 or i == len(timesteps) - 1:
            case.latents.append(x)
    return case


def with_k_diffusion(case, sampler, sigmas, brownian=False, timesteps=None, **arguments):
    """Run a k-diffusion sampler for a network that predicts noise. With timesteps, the case is of a sampler whose
    latents have unit variance."""
    a = case.about
    scheduler = diffusers.EulerDiscreteScheduler(**a["config"])
    levels = kx.DiscreteSchedule(((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5, quantize=False)

    def denoised(x, sigma):
        s = sigma[0]
        out = case.network(x / (s**2 + 1) ** 0.5, levels.sigma_to_t(s))
        return x - s * out

    if timesteps is not None:
        told = {float(s): t for s, t in zip(sigmas, timesteps)}
        levels.sigma_to_t = lambda s: told[float(s)]
    case.sigmas = sigmas
    x = case.noise() * (sigmas[0] if timesteps is None else (sigmas[0] ** 2 + 1) ** 0.5)
    seen = []
    noise = lambda a, b: case.noise()  # noqa: E731
    if brownian:
        a["brownian"] = True
        noise = kd.BrownianTreeNoiseSampler(x, sigmas[sigmas > 0].min(), sigmas.max(), seed=a["seed"])
    x = sampler(denoised, x, sigmas, callback=lambda d: seen.append(d["x"].clone()), disable=True,
                noise_sampler=noise, **arguments)
    case.latents = seen + [x]
    if timesteps is not None:
        case.latents = [x / (s**2 + 1) ** 0.5 for x, s in zip(case.latents, sigmas)]
    return case


def k_sigmas(curve, steps):
    scheduler = diffusers.EulerDiscreteScheduler(**SD, **({CURVES[curve]: True} if curve in CURVES else {}))
    scheduler.set_timesteps(steps)
    return scheduler.sigmas.clone()


def published_sigmas(curve, n):
    """SGM uniform and simple by their definitions, over k-diffusion's levels."""
    a = diffusers.EulerDiscreteScheduler(**SD).alphas_cumprod
    levels = kx.DiscreteSchedule(((1 - a) / a) ** 0.5, quantize=False)
    if curve == "sgm-uniform":
        inner = levels.t_to_sigma(torch.linspace(999, 0, n + 1)[:-1])
    else:
        inner = torch.stack([levels.sigmas[-(1 + int(x * (1000 / n)))] for x in range(n)])
    return torch.cat([inner, torch.zeros(1)])


@contextlib.contextmanager
def exact_roots():
    """A Brownian motion tells sigmas apart that differ in the last bit, and torch's square roots are off there on
    some processors; numpy's are not."""
    power = torch.Tensor.__pow__
    torch.Tensor.__pow__ = lambda x, e: torch.from_numpy(np.sqrt(np.atleast_1d(x.numpy()))).reshape(x.shape) if e == 0.5 else power(x, e)
    yield
    torch.Tensor.__pow__ = power


def k_case(name, sampler, steps, curve="default", eta=None, brownian=False):
    case = Case(name, sampler, steps, curve, eta=eta, timestep_spacing="linspace")
    function = {"euler": kd.sample_euler, "dpm++2s-a": kd.sample_dpmpp_2s_ancestral,
                "dpm++3m-sde": kd.sample_dpmpp_3m_sde, "dpm++sde": kd.sample_dpmpp_sde}[sampler]
    with exact_roots() if brownian else contextlib.nullcontext():
        sigmas = published_sigmas(curve, steps) if curve in ("sgm-uniform", "simple") else k_sigmas(curve, steps)
    arguments = {} if eta is None else {"eta": eta}
    if sampler == "euler":
        return with_k_diffusion(case, lambda *a, noise_sampler, **k: function(*a, **k), sigmas)
    return with_k_diffusion(case, function, sigmas, brownian, **arguments)


def k_case_2m_sde(name, steps, curve):
    """k-diffusion's steps at the levels and timesteps of diffusers' scheduler."""
    case = Case(name, "dpm++2m-sde", steps, curve, timestep_spacing="linspace")
    scheduler = diffusers.DPMSolverMultistepScheduler(**case.about["config"], **{CURVES[curve]: True})
    with exact_roots():
        scheduler.set_timesteps(steps)
    return with_k_diffusion(case, kd.sample_dpmpp_2m_sde, scheduler.sigmas.clone(), True, scheduler.timesteps)


def cases():
    d = diffusers
    v, x0 = dict(prediction_type="v_prediction"), dict(prediction_type="sample")
    zero = dict(rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")
    lead = dict(timestep_spacing="leading", steps_offset=1)
    trail = dict(timestep_spacing="trailing")
    for cls, sampler, orders in ((d.EulerDiscreteScheduler, "euler", 1), (d.HeunDiscreteScheduler, "heun", 2),
                                 (d.KDPM2DiscreteScheduler, "dpm2", 2), (d.EulerAncestralDiscreteScheduler, "euler-a", 1),
                                 (d.DPMSolverMultistepScheduler, "dpm++2m", 1), (d.UniPCMultistepScheduler, "unipc", 1)):
        yield with_diffusers(Case(f"{sampler}.linspace", sampler, 5, timestep_spacing="linspace"), cls, orders)
        yield with_diffusers(Case(f"{sampler}.leading.v", sampler, 4, **lead, **v), cls, orders)
        if sampler != "euler-a":
            for curve in CURVES:
                yield with_diffusers(Case(f"{sampler}.{curve}", sampler, 6, curve, timestep_spacing="linspace"), cls, orders)
        if sampler not in ("dpm2", "heun"):
            yield with_diffusers(Case(f"{sampler}.zero", sampler, 4, **zero), cls, orders)
        if sampler not in ("dpm2", "euler-a"):
            yield with_diffusers(Case(f"{sampler}.trailing.sample", sampler, 4, **trail, **x0), cls, orders)
        yield with_diffusers(Case(f"{sampler}.from", sampler, 6, first=2, **lead), cls, orders)
        yield with_diffusers(Case(f"{sampler}.one", sampler, 1, **trail), cls, orders)
    yield with_diffusers(Case("euler.ays", "euler", 10, "ays", **trail), d.EulerDiscreteScheduler,
                         custom=dict(sigmas=AysSchedules["StableDiffusionSigmas"]))
    yield with_diffusers(Case("euler.ays-xl", "euler", 10, "ays-xl", **trail), d.EulerDiscreteScheduler,
                         custom=dict(sigmas=AysSchedules["StableDiffusionXLSigmas"]))
    yield with_diffusers(Case("euler.sigma_min", "euler", 4, final_sigmas_type="sigma_min", **trail),
                         d.EulerDiscreteScheduler)
    yield with_diffusers(Case("dpm++2m.many", "dpm++2m", 16, **lead), d.DPMSolverMultistepScheduler)
    yield with_diffusers(Case("dpm++2m.sigma_min", "dpm++2m", 16, final_sigmas_type="sigma_min", **trail),
                         d.DPMSolverMultistepScheduler)
    yield with_diffusers(Case("dpm++2m-sde.linspace", "dpm++2m-sde", 5, timestep_spacing="linspace"),
                         d.DPMSolverMultistepScheduler, algorithm_type="sde-dpmsolver++")
    yield with_diffusers(Case("dpm++2m-sde.karras.v", "dpm++2m-sde", 7, "karras", timestep_spacing="linspace", **v),
                         d.DPMSolverMultistepScheduler, algorithm_type="sde-dpmsolver++")
    yield with_diffusers(Case("unipc.third", "unipc", 7, solver_order=3, timestep_spacing="linspace"),
                         d.UniPCMultistepScheduler)
    ddim = dict(clip_sample=False, set_alpha_to_one=False)
    yield with_diffusers(Case("ddim.leading", "ddim", 5, **lead, **ddim), d.DDIMScheduler)
    yield with_diffusers(Case("ddim.eta", "ddim", 5, eta=0.7, **lead, **ddim), d.DDIMScheduler, pass_eta=True)
    yield with_diffusers(Case("ddim.clip", "ddim", 4, clip_sample=True, clip_sample_range=0.8, set_alpha_to_one=True, **lead),
                         d.DDIMScheduler)
    yield with_diffusers(Case("ddim.zero", "ddim", 4, **zero, **ddim), d.DDIMScheduler)
    yield with_diffusers(Case("ddim.linspace.sample", "ddim", 4, timestep_spacing="linspace", **ddim, **x0), d.DDIMScheduler)
    yield with_diffusers(Case("ddim.from", "ddim", 6, first=2, **lead, **ddim), d.DDIMScheduler)
    pndm = dict(set_alpha_to_one=False)
    yield with_diffusers(Case("pndm.plms", "pndm", 6, skip_prk_steps=True, **lead, **pndm), d.PNDMScheduler)
    yield with_diffusers(Case("pndm.plms.v", "pndm", 6, skip_prk_steps=True, **trail, **v), d.PNDMScheduler)
    yield with_diffusers(Case("pndm.from", "pndm", 6, first=2, skip_prk_steps=True, **lead, **pndm), d.PNDMScheduler)
    yield with_diffusers(Case("pndm.prk", "pndm", 6, skip_prk_steps=False, **lead, **pndm), d.PNDMScheduler)
    yield with_diffusers(Case("pndm.prk.v", "pndm", 5, skip_prk_steps=False, timestep_spacing="linspace", **v), d.PNDMScheduler)
    for name, extra in (("", {}), (".v", v), (".sample", x0), (".zero", dict(rescale_betas_zero_snr=True, **v))):
        yield with_diffusers(Case(f"lcm{name}", "lcm", 4, **extra), d.LCMScheduler)
        yield with_diffusers(Case(f"tcd{name}", "tcd", 4, eta=0.3, **extra), d.TCDScheduler, pass_eta=True)
    yield with_diffusers(Case("tcd.still", "tcd", 4, eta=0.0), d.TCDScheduler, pass_eta=True)
    yield with_diffusers(Case("lcm.clip", "lcm", 3, clip_sample=True, clip_sample_range=0.9), d.LCMScheduler)
    for curve in ("default", "karras", "sgm-uniform", "simple"):
        yield k_case(f"dpm++2s-a.{curve}", "dpm++2s-a", 5, curve)
        yield k_case(f"dpm++3m-sde.{curve}", "dpm++3m-sde", 6, curve)
    yield k_case("euler.sgm-uniform", "euler", 5, "sgm-uniform")
    yield k_case("dpm++3m-sde.eta", "dpm++3m-sde", 5, "karras", eta=0.5)
    yield k_case("dpm++2s-a.eta", "dpm++2s-a", 5, "karras", eta=0.0)
    for curve in ("default", "karras"):
        yield k_case(f"dpm++sde.{curve}", "dpm++sde", 5, curve)
        yield k_case(f"dpm++sde.{curve}.brownian", "dpm++sde", 5, curve, brownian=True)
        yield k_case(f"dpm++3m-sde.{curve}.brownian", "dpm++3m-sde", 6, curve, brownian=True)
    yield k_case("dpm++sde.eta", "dpm++sde", 5, "karras", eta=0.5)
    yield k_case_2m_sde("dpm++2m-sde.karras.brownian", 6, "karras")
    yield k_case_2m_sde("dpm++2m-sde.exponential.brownian", 6, "exponential")
    case = Case("dpm++sde.scheduler", "dpm++sde", 5, "karras", timestep_spacing="linspace")
    case.about["brownian"] = True
    with exact_roots():
        yield with_diffusers(case, d.DPMSolverSDEScheduler, 2, noise_sampler_seed=case.about["seed"])


def schedules():
    out = {}
    for betas in ("linear", "scaled_linear", "squaredcos_cap_v2"):
        for zero in (False, True):
            s = diffusers.DDIMScheduler(**{**SD, "beta_schedule": betas}, rescale_betas_zero_snr=zero)
            out[f"{betas}{'.zero' if zero else ''}.alphas_cumprod"] = s.alphas_cumprod.clone()
    p = np.linspace(0, 1, 41)
    q = scipy.stats.beta.ppf(p, 0.6, 0.6)
    out["beta.quantiles"] = torch.from_numpy(np.stack([p, q])).float()
    return out


def philox(counter, key):
    c, k = [int(x) for x in counter], [int(x) for x in key]
    m = 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & m, (p0 >> 32) ^ c[3] ^ k[1], p0 & m]
        k = [(k[0] + 0x9E3779B9) & m, (k[1] + 0xBB67AE85) & m]
    return c


def cuda_randn(seed, n, threads, offset):
    """torch.randn on CUDA: element i of a launch belongs to thread i mod threads (curand_normal4 each)."""
    launch = min(threads, -(-n // 256) * 256)
    out = []
    for i in range(n):
        thread, place = i % launch, i // launch
        block = offset // 4 + place // 4
        w = philox([block & 0xFFFFFFFF, block >> 32, thread, 0], [seed & 0xFFFFFFFF, seed >> 32])
        pair = w[2:] if place % 4 >= 2 else w[:2]
        u = pair[0] * 2.0**-32 + 2.0**-33
        v = (pair[1] * 2.0**-32 + 2.0**-33) * 2 * math.pi
        out.append(math.sqrt(-2 * math.log(u)) * (math.cos(v) if place % 2 else math.sin(v)))
    return torch.tensor(out, dtype=torch.float32), offset + 4 * ((n - 1) // (launch * 4) + 1)


def noises():
    out = {}
    for seed in (0, 42, 2**32 + 5, 2**53 - 1):
        for n in (1, 5, 15, 16, 17, 40, 100):
            g = torch.Generator().manual_seed(seed)
            out[f"cpu.{seed}.{n}"] = torch.randn(n, generator=g)
            out[f"cpu.{seed}.{n}.then"] = torch.randn(5, generator=g)
    for n in (3, 15, 16, 37):
        g = torch.Generator().manual_seed(42)
        d = torch.randn(n, generator=g, dtype=torch.float64)
        out[f"cpu_double.42.{n}"] = torch.from_numpy(d.numpy().view(np.int32).copy())
    # More numbers than one refill of the generator's state holds.
    g = torch.Generator().manual_seed(3)
    out["cpu.3.1500"] = torch.randn(1500, generator=g)
    out["cpu.3.1500.then"] = torch.randn(5, generator=g)
    for seed, n, threads in ((0, 7, 40960), (42, 300, 40960), (2**40 + 9, 260, 256), (1, 1300, 256)):
        first, offset = cuda_randn(seed, n, threads, 0)
        second, _ = cuda_randn(seed, n, threads, offset)
        out[f"cuda.{seed}.{n}.{threads}"] = torch.stack([first, second])
    return out


def brownians():
    """Noise of steps, and of the same steps again out of order, as single precision has them."""
    out, cpu = {}, intervals._randn

    def cuda(size, dtype, device, seed):
        n = math.prod(size)
        return cuda_randn(int(seed), n, 1 << 20, 0)[0].reshape(size)

    for kind, randn in (("cpu", cpu), ("cuda", cuda)):
        for seed, low, high in ((0, 0.0291675, 14.614642), (42, 0.1, 4.2), (2**40 + 9, 0.03, 4096.0)):
            intervals._randn = randn
            sampler = kd.BrownianTreeNoiseSampler(torch.zeros(SHAPE), low, high, seed=seed)
            rows = []
            for a, b in ((high, high * 0.7), (high * 0.7, low * 3), (low * 3, low), (high, low * 1.5)):
                a, b = torch.tensor(a), torch.tensor(b)
                rows.append(torch.cat([torch.stack([a, b]), sampler(a, b).flatten()]))
            out[f"{kind}.{seed}.{low}.{high}"] = torch.stack(rows)
    intervals._randn = cpu
    rows = []
    for entropy in (0, 7, 2**32 - 1, 2**45 + 3):
        for key in ((), (0, 0), (5, 3), (2**33 + 1, 34)):
            state = np.random.SeedSequence(entropy, spawn_key=key, pool_size=24).generate_state(6)
            words = [entropy, *key] if key else [entropy, 0, 2**64 - 1]
            rows.append(np.concatenate([np.array(words, np.uint64).view(np.int32), state.view(np.int32)]))
    out["seeds"] = torch.from_numpy(np.stack(rows))
    return out


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures" / "diffusion"
    out.mkdir(parents=True, exist_ok=True)
    diffusers.utils.logging.set_verbosity_error()
    tensors, abouts = {}, []
    for case in cases():
        tensors.update(case.tensors())
        abouts.append(case.about)
    save_file(tensors, out / "samplers.safetensors")
    lines = ",\n".join(json.dumps(a, sort_keys=True) for a in abouts)
    (out / "samplers.json").write_text(f"[\n{lines}\n]\n")
    save_file(schedules(), out / "schedules.safetensors")
    save_file(noises(), out / "noise.safetensors")
    save_file(brownians(), out / "brownian.safetensors")
    print(len(abouts), "cases")


if __name__ == "__main__":
    main()

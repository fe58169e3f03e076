"""The checks by name, in the order in which they are run."""

from collections.abc import Callable, Mapping

from usaid.denoisers.check import behaviour, cost, form, quality
from usaid.denoisers.check.finding import Finding, reason
from usaid.denoisers.check.subject import Subject
from usaid.errors import UsaidError, is_signal

CHECKS: Mapping[str, Callable[[Subject], Finding]] = {
    "facts": form.check_facts,
    "output": form.check_output,
    "sizes": form.check_sizes,
    "noise": quality.check_noise,
    "range": quality.check_range,
    "psnr": quality.check_psnr,
    "batch": behaviour.check_batch,
    "repeats": behaviour.check_repeats,
    "told": behaviour.check_told,
    "time": cost.check_time,
    "memory": cost.check_memory,
    "hours": cost.check_hours,
    "input": behaviour.check_input,
    "gradients": form.check_gradients,
    "state": behaviour.check_state,
    "device": form.check_device,
}
"""Name -> what looks at a denoiser. Those behind ``output`` need an output that is fit to be looked at."""

OF_QUALITY = ("noise", "range", "psnr")
"""Checks that only a denoiser with trained weights passes."""
OF_COST = ("time", "memory", "hours")
"""Checks that measure, and find nothing wrong but a price."""
NEEDED = "output"
"""The check without which those behind it would say the same again."""


def run_check(name: str, subject: Subject) -> Finding:
    """Run a check; whatever the denoiser raises is a finding."""
    try:
        return CHECKS[name](subject)
    except (Exception, SystemExit) as error:  # a stranger's code raises anything
        if is_signal(error):
            raise
        if isinstance(error, UsaidError) and error.__cause__ is None:  # of an output, with its cure
            what, _, cure = reason(error).partition("; ")
            return Finding(name, "failed", what, cure or "mend what is named")
        return Finding(name, "failed", f"raises {reason(error)}", "mend the line that is named")

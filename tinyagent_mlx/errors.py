"""Every error that the package raises on purpose; foreign errors are translated into these at the edge.

    TinyAgentError            exit status 1
    ├── UsageError            exit status 2: the command was called wrongly
    ├── ConfigError           exit status 2: tools.yaml or another configuration file is wrong
    ├── PlanError             a plan does not parse or does not check
    ├── PlannerError          a planner could not make a plan (weights missing, model broken)
    ├── ModelError            a model can't be fetched, converted or removed
    ├── VoiceError            there is no sound to be had, or no words in it
    ├── HistoryError          the history can't be used, or what is asked of it is not there
    └── StepError             a step could not be carried out
        ├── NotFound          what the step names does not exist
        ├── Ambiguous         what the step names exists more than once
        ├── NotAuthorised     the system refused; `advice` says what to grant
        └── OutcomeUnknown    a write was cut off: it may or may not have happened

Each message is one line that names the thing at fault and its value.
"""

from __future__ import annotations


class TinyAgentError(Exception):
    exit_status = 1


class UsageError(TinyAgentError):
    exit_status = 2


class ConfigError(TinyAgentError):
    exit_status = 2


class PlanError(TinyAgentError):
    pass


class PlannerError(TinyAgentError):
    pass


class ModelError(TinyAgentError):
    pass


class VoiceError(TinyAgentError):
    pass


class HistoryError(TinyAgentError):
    pass


class StepError(TinyAgentError):
    """A step failed. `advice` is what the user can do about it, "" where nothing is known."""

    def __init__(self, message: str, advice: str = ""):
        super().__init__(message)
        self.advice = advice


class NotFound(StepError):
    pass


class Ambiguous(StepError):
    """Several things match; `choices` are their descriptions, at least two."""

    def __init__(self, message: str, choices: tuple[str, ...]):
        super().__init__(message, "choose one of: " + "; ".join(choices))
        self.choices = choices


class NotAuthorised(StepError):
    pass


class OutcomeUnknown(StepError):
    pass

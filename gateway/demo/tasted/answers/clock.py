"""Timers: set, asked about, cancelled; and the truth where none can ring."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.demo.language.words import capital, joined
from gateway.demo.tasted import timers
from gateway.demo.tasted.catalogue.recipe import Recipe
from gateway.demo.tasted.hearing.spans import span_text
from gateway.demo.tasted.said import Said
from gateway.demo.tasted.session import TIMERS_MAX
from gateway.demo.tasted.visit import Visit

__all__ = ["cancel", "running", "start"]


def start(visit: Visit) -> Said:
    """Answer "set a timer for 20 minutes", "set the timer" at a step that takes a while, a tap on its control."""
    recipe, number = _step_meant(visit)
    step = recipe.steps[number - 1] if recipe else None
    # A step's own time is meant where none was said.
    seconds = visit.intent.seconds or (step.timer_s if step else 0)
    if not seconds:
        return visit.say("For how long?", next=("10 minutes", "20 minutes", "An hour"))
    if seconds > timers.TIMER_S_MAX:
        return visit.say("I only watch the clock for a day at most.", next=("20 minutes",))
    of_step = step is not None and step.timer_s > 0 and not visit.intent.seconds
    name = visit.intent.name or (step.timer_name if of_step and step else "") or timers.by_length(seconds)
    if not visit.rings:
        # Nobody can be called here: a promise would be broken in silence.
        return visit.say(
            f"I cannot call you here when {span_text(seconds)} are up, so please use a timer of your own. "
            "I keep your place meanwhile.",
            next=("Next", "Where was I?"),
        )
    session = visit.session
    if len(session.timers) >= TIMERS_MAX and not any(one.name == name for one in session.timers):
        return visit.say(
            f"{TIMERS_MAX} timers run already, more than anybody can hear. Which one shall I cancel?",
            next=("Cancel all timers", "How long still?"),
        )
    again = any(one.name == name for one in session.timers)
    then = _then(recipe, number) if of_step and recipe else ""
    ticking, timer = timers.set_timer(session, name, seconds, visit.now_s, then=then)
    if of_step and recipe and visit.intent.act == "timer" and not session.cooking:
        ticking = replace(ticking, cooking=recipe.slug, step=number)
    anew = ", from the beginning" if again else ""
    # A timer that is called by its length says it once.
    runs = "it runs" if name == timers.by_length(seconds) else span_text(seconds)
    return visit.say(
        f"{timers.title(name)}: {runs}{anew}. I will write to you when it is time.",
        session=ticking,
        next=("How long still?", f"Cancel the {name} timer"[:75], *_going_on(visit)),
        timers=(timer,),
    )


def running(visit: Visit) -> Said:
    """Answer "how long still?"."""
    known = timers.called(visit.session, _name_said(visit))
    if not known:
        return visit.say("No timer is running.", next=("Set a timer for 10 minutes", *_going_on(visit)))
    told = [timers.left_text(one, visit.now_s) for one in sorted(known, key=lambda one: one.due_s)]
    stop = "Cancel all timers" if len(known) > 1 else "Cancel the timer"
    return visit.say(f"{'. '.join(told)}.", next=(*_going_on(visit), stop))


def cancel(visit: Visit) -> Said:
    """Answer "cancel the pasta timer"; which one, where several may be meant."""
    session, intent = visit.session, visit.intent
    if not session.timers:
        return visit.say("No timer is running.", next=(*_going_on(visit), "Set a timer for 10 minutes"))
    everything = intent.everything and not intent.name
    found = list(session.timers) if everything else timers.called(session, _name_said(visit))
    if not found:
        text = f"I have no timer of that name, only {joined([timers.spoken(one.name) for one in session.timers])}."
        return visit.say(text, next=("How long still?", "Cancel all timers"))
    if len(found) > 1 and not intent.everything:
        asked = joined([timers.spoken(one.name) for one in found], "or")
        each = (f"Cancel the {one.name} timer"[:75] for one in found)
        return visit.say(f"Which one: {asked}?", next=(*each, "Cancel all timers"))
    left, stopped = timers.stop_timers(session, found)
    text = f"{capital(joined([timers.title(one.name) for one in found]))} cancelled."
    still = ("How long still?",) if left.timers else ()
    return visit.say(text, session=left, next=(*_going_on(visit), *still), timers=stopped)


def _going_on(visit: Visit) -> tuple[str, ...]:
    """Return what leads back to the stove, if something is on it."""
    return ("Next",) if visit.on_the_stove() else ()


def _name_said(visit: Visit) -> str:
    """Return the name of a timer that is spoken of: "the 10 minute timer" is called by its length."""
    intent = visit.intent
    return intent.name or (timers.by_length(intent.seconds) if intent.seconds else "")


def _step_meant(visit: Visit) -> tuple[Recipe | None, int]:
    """Return the recipe and the step that a timer may belong to: those of the control, or those on the stove."""
    recipe = visit.recipe(visit.intent.recipe) if visit.intent.number else None
    number = visit.intent.number
    if recipe is None:
        recipe, number = visit.on_the_stove(), visit.session.step
    return (recipe, number) if recipe and 1 <= number <= len(recipe.steps) else (None, 0)


def _then(recipe: Recipe, number: int) -> str:
    """Return what a timer of a step leads to when it rings."""
    if number < len(recipe.steps):
        return f"That was step {number} of {recipe.name}; say “next” to go on."
    return f"That was the last step of {recipe.name}."

"""Names, findable by their letters, their sound, and with typing errors.

Problem   A text may be a name, a part of one, its reading in kana or Latin letters, or a slip of the finger;
          stops and landmarks are both looked for so.
Idea      An owner (a number) has forms of its names, each with a tier: how good a match of the whole form is.
          What begins with the text, has it inside, sounds like it, or has all its words is a worse tier.
Typing    One error in a text of three to five characters, two in a longer one (Levenshtein).
Rule      A text may end in a word that says what is meant (駅, Port); `may_mean` says which owners are that.
Not here  What an owner is, and which of equals is meant.
"""

from collections.abc import Callable, Iterable, Sequence

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from services.planner.names import cut_ending, list_words, normalise
from services.planner.romaji import sound_key

WHOLE, UNBRACKETED, AREA, PART, SOUND, BEGINNING, MIDDLE, WORDS, SOUND_BEGINNING, ERROR_1, ERROR_2 = range(11)
"""The tiers of a match, best first."""

_ERROR_LENGTH_MIN, _ERRORS_LENGTH_MIN = 3, 6
"""Characters a text must have before one typing error, or two, are forgiven."""

Tiers = dict[int, int]
"""Owner -> the best tier in which it matches."""


def may_mean_any(owner: int, ending: str) -> bool:  # noqa: ARG001 - the shape of a filter
    """Whatever the text ends in."""
    return True


class NameIndex:
    """The names of many owners. `forms` are (owner, a name as written, its tier)."""

    def __init__(
        self,
        forms: Iterable[tuple[int, str, int]],
        *,
        may_mean: Callable[[int, str], bool] = may_mean_any,
    ) -> None:
        self._may_mean = may_mean
        self._forms: dict[str, Tiers] = {}
        self._forms_of: dict[int, list[str]] = {}
        for owner, name, tier in forms:
            if form := normalise(name):
                owners = self._forms.setdefault(form, {})
                owners[owner] = min(tier, owners.get(owner, tier))
                if tier == WHOLE:
                    self._forms_of.setdefault(owner, []).append(form)
        self._sounds: dict[str, set[int]] = {}
        for form, owners in self._forms.items():
            if key := sound_key(form):
                self._sounds.setdefault(key, set()).update(owners)
        self._form_list, self._sound_list = list(self._forms), list(self._sounds)

    def collect_exact(self, text: str) -> Tiers:
        """Those with a form that is the text: better than any other, and found without looking at all."""
        wanted, ending = cut_ending(normalise(text))
        tiers = dict(self._forms.get(normalise(text), {}))
        for owner, tier in self._forms.get(wanted, {}).items():
            if self._may_mean(owner, ending):
                tiers[owner] = min(tier, tiers.get(owner, tier))
        return tiers

    def collect_sounding(self, text: str) -> Tiers:
        """Those whose reading is the text's, whole."""
        tiers: Tiers = {}
        self._add_sounds(text, tiers)
        return {owner: tier for owner, tier in tiers.items() if tier == SOUND}

    def collect_written(self, text: str) -> Tiers:
        """Those with a name that has the text in it, or all its words."""
        wanted, ending = cut_ending(normalise(text))
        tiers: Tiers = {}
        for form in {normalise(text), wanted} - {""}:
            self._add_written(form, ending if form == wanted else "", tiers)
        words = list_words(text)
        if len(words) > 1:
            self._add_words(words, tiers)
        return tiers

    def collect_containing(self, word: str) -> Tiers:
        """Those with a name that has the normalised word in it."""
        tiers: Tiers = {}
        self._add_written(word, "", tiers)
        return tiers

    def collect(self, text: str, written: Tiers) -> Tiers:
        """What the text may mean: what is `written` so, what sounds so, else what is so but for errors."""
        tiers = dict(written)
        if min(tiers.values(), default=WORDS) > PART:
            self._add_sounds(text, tiers)
        if not tiers:
            self._add_misspelt(text, tiers)
        return tiers

    def _add_written(self, wanted: str, ending: str, tiers: Tiers) -> None:
        for form, owners in self._forms.items():
            if form == wanted:
                shift = None
            elif form.startswith(wanted):
                shift = BEGINNING
            elif wanted in form:
                shift = MIDDLE
            else:
                continue
            for owner, tier in owners.items():
                if self._may_mean(owner, ending):
                    reached = tier if shift is None else shift
                    tiers[owner] = min(reached, tiers.get(owner, reached))

    def _add_words(self, words: Sequence[str], tiers: Tiers) -> None:
        for owner, forms in self._forms_of.items():
            if any(all(word in form for word in words) for form in forms):
                tiers[owner] = min(WORDS, tiers.get(owner, WORDS))

    def _add_sounds(self, text: str, tiers: Tiers) -> None:
        """Owners that sound like the text, or begin so."""
        wanted, ending = cut_ending(normalise(text))
        key = sound_key(wanted)
        if not key:
            return
        for sound, owners in self._sounds.items():
            if sound.startswith(key):
                tier = SOUND if sound == key else SOUND_BEGINNING
                for owner in owners:
                    if self._may_mean(owner, ending):
                        tiers[owner] = min(tier, tiers.get(owner, tier))

    def _add_misspelt(self, text: str, tiers: Tiers) -> None:
        """Owners with a name, or a reading, that is the text but for a typing error or two."""
        wanted, _ = cut_ending(normalise(text))
        kinds = (
            (wanted, self._form_list, lambda name: self._forms[name]),
            (sound_key(wanted), self._sound_list, lambda name: self._sounds[name]),
        )
        for form, names, owners_of in kinds:
            errors_max = (len(form) >= _ERROR_LENGTH_MIN) + (len(form) >= _ERRORS_LENGTH_MIN)
            if not errors_max:
                continue
            near = process.extract(
                form, names, scorer=Levenshtein.distance, processor=None, score_cutoff=errors_max, limit=None
            )
            for name, errors, _ in near:
                tier = ERROR_1 if errors <= 1 else ERROR_2
                for owner in owners_of(name):
                    tiers[owner] = min(tier, tiers.get(owner, tier))

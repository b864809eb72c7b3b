"""How the value of each fact and duty is written: one reader per form, each returning a condition of the model."""

from __future__ import annotations

from dataclasses import dataclass

from troth.model import rules as model
from troth.model.consent import Params
from troth.model.words import ANY, REFERENCES, Carrier, Word, reference
from troth.rules.countries import COUNTRIES
from troth.rules.nodes import Mapping, Node, Scalar
from troth.rules.reader import Kind, Reader, did_you_mean, listing
from troth.rules.scalars import BOOL, NAME, PERIOD, Int
from troth.rules.shapes import SCALAR, ByKind, Made, Many, OneOf, Record, Ref, Schema, Shape, Text, scalar

Condition = model.Condition
_REFERENCE: Schema = {"type": "string", "pattern": "^of-"}


def check_reference(found: Scalar, reader: Reader, word: str) -> bool:
    """Whether ``of-X`` names something that may be referred to: a fact, or a parameter of a consent or state."""
    wanted = reference(found.text)
    own = reader.parameters
    if wanted in REFERENCES | own:
        return True
    candidates = [f"of-{one}" for one in sorted(REFERENCES | own)]
    advice = did_you_mean(found.text, candidates) or f"one of {listing(candidates)}"
    reader.report("TR118", f"`{found.text}` refers to nothing", found, advice=advice, docs=f"rule {word}")
    return False


@dataclass(frozen=True, slots=True)
class Named:
    """A fact that is compared with names: of a `kind`, of a closed list `words`, or free; `special` words besides."""

    word: Word
    kind: Kind | None = None
    words: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    refers: bool = True

    def read(self, node: Node, reader: Reader) -> Condition | None:
        """Return the condition."""
        names = Many(_Name(self)).read(node, reader)
        return None if names is None else model.Names(word=self.word, names=names)

    def schema(self) -> Schema:
        """A name or a list of names."""
        return Many(_Name(self)).schema()


@dataclass(frozen=True, slots=True)
class _Name:
    fact: Named

    def read(self, node: Node, reader: Reader) -> str | None:
        fact = self.fact
        found = scalar(node, reader, f"a value of `{fact.word}`", f"rule {fact.word}")
        if found is None:
            return None
        if found.text in fact.special:
            return found.text
        if fact.refers and found.text.startswith("of-"):
            return found.text if check_reference(found, reader, fact.word) else None
        return self._plain(found, reader)

    def _plain(self, found: Scalar, reader: Reader) -> str | None:
        fact = self.fact
        if fact.kind is Kind.AREA and found.text in COUNTRIES:
            return found.text
        if fact.kind is not None:
            return Ref(fact.kind, fact.special).read(found, reader)
        if fact.words:
            words = (*fact.words, *fact.special)
            return OneOf(words, f"a value of `{fact.word}`", f"rule {fact.word}").read(found, reader)
        return NAME.read(found, reader)

    def schema(self) -> Schema:
        fact = self.fact
        if fact.kind is not None:
            return dict(SCALAR)
        plain: Schema = OneOf((*fact.words, *fact.special)).schema() if fact.words else NAME.schema()
        return {"anyOf": [plain, _REFERENCE]} if fact.refers else plain


class _Role:
    """A class of party. One that no party has is a warning: such a fact is never true."""

    def read(self, node: Node, reader: Reader) -> Condition | None:
        found = Named(Word.ROLE).read(node, reader)
        for one in node if not isinstance(node, Scalar | Mapping) else (node,):
            if isinstance(one, Scalar) and reader.roles is not None and not one.text.startswith("of-"):
                self._warn(one, reader, reader.roles)
        return found

    def _warn(self, one: Scalar, reader: Reader, roles: frozenset[str]) -> None:
        if one.text not in roles:
            advice = did_you_mean(one.text, roles)
            reader.report("TR214", f"no party has the role `{one.text}`", one, advice=advice, docs="rule role")

    def schema(self) -> Schema:
        return Named(Word.ROLE).schema()


# consents and states with parameters ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """`consent`, `refused` and `state`: a name, a list of names, or names with parameters (and `form`)."""

    word: Word
    kind: Kind
    special: tuple[str, ...] = ()

    def read(self, node: Node, reader: Reader) -> Condition | None:
        """Return the condition; several names in a list are alternatives, in a map all must hold."""
        if not isinstance(node, Mapping):
            names = Many(Ref(self.kind, self.special)).read(node, reader)
            return None if names is None else _either([self._make(name, (), None) for name in names])
        form_node = node.get("form") if self.word is not Word.STATE else None
        form = NAME.read(form_node, reader) if form_node is not None else None
        pairs = [(key, value) for key, value in node if form_node is None or key.text != "form"]
        if not pairs:
            reader.report("TR308", f"this `{self.word}` names nothing", node, docs=f"rule {self.word}")
            return None
        parts = [self._with(key, value, form, reader) for key, value in pairs]
        read = [part for part in parts if part is not None]
        return None if len(read) < len(parts) else every(read)

    def _with(self, key: Scalar, value: Node, form: str | None, reader: Reader) -> Condition | None:
        name = Ref(self.kind, self.special).read(key, reader)
        if name is None:
            return None
        row = (reader.states if self.kind is Kind.STATE else reader.consents).get(name)
        params = read_params(key, value, row.per if row else None, reader)
        return None if params is None else self._make(name, params, form)

    def _make(self, name: str, params: Params, form: str | None) -> Condition:
        if self.word is Word.STATE:
            return model.StateIs(name=name, params=params)
        return model.ConsentIs(word=self.word, name=name, params=params, form=form)

    def schema(self) -> Schema:
        """A name, a list, or names with parameters."""
        params: Schema = {"type": "object", "additionalProperties": _param(), "minProperties": 1}
        held: Schema = {"type": "object", "additionalProperties": {"anyOf": [_param(), params]}, "minProperties": 1}
        return {"anyOf": [Many(Ref(self.kind, self.special)).schema(), held]}


def _param() -> Schema:
    return {"anyOf": [NAME.schema(), _REFERENCE, {"const": ANY}]}


def _either(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else model.AnyOf(tuple(parts))


def every(parts: list[Condition]) -> Condition:
    """Return the condition that all parts hold; one alone stands for itself."""
    return parts[0] if len(parts) == 1 else model.All(tuple(parts))


def read_params(key: Scalar, value: Node, per: tuple[str, ...] | None, reader: Reader) -> Params | None:
    """Return the parameters of a consent or state; `per` names those it has, None where its row is not known.

    A single value stands for the parameter it refers to, else for the only one; ``any`` for each.
    """
    if isinstance(value, Mapping):
        return _params_by_name(key, value, per, reader)
    found = scalar(value, reader, f"a parameter of `{key.text}`")
    if found is None or per is None or not _is_value(found, reader):
        return None
    if not per:
        reader.report("TR216", f"`{key.text}` has no parameter", found, advice="declare one with `per`")
        return None
    return _single_param(key, found, per, reader)


def _single_param(key: Scalar, found: Scalar, per: tuple[str, ...], reader: Reader) -> Params | None:
    if found.text == ANY:
        return tuple(sorted((name, ANY) for name in per))
    referred = reference(found.text)
    if referred in per or len(per) == 1:
        return ((referred if referred in per else per[0], found.text),)
    advice = f"write `{key.text}: {{{per[0]}: {found.text}}}`"
    message = f"`{key.text}` has the parameters {listing(per)}: say which one this is"
    reader.report("TR217", message, found, advice=advice)
    return None


def _params_by_name(key: Scalar, value: Mapping, per: tuple[str, ...] | None, reader: Reader) -> Params | None:
    params: list[tuple[str, str]] = []
    if not value.pairs:
        reader.report("TR308", f"this names no parameter of `{key.text}`", value)
    for name, item in value:
        found = scalar(item, reader, f"a value of `{name.text}`")
        if per is not None and name.text not in per:
            advice = did_you_mean(name.text, per) or (f"it has {listing(per)}" if per else "declare it with `per`")
            reader.report("TR216", f"`{key.text}` has no parameter `{name.text}`", name, advice=advice)
        elif found is not None and _is_value(found, reader):
            params.append((name.text, found.text))
    return tuple(sorted(params)) if params and len(params) == len(value.pairs) else None


def _is_value(found: Scalar, reader: Reader) -> bool:
    if found.text.startswith("of-"):
        return check_reference(found, reader, "of-x")
    return found.text == ANY or NAME.read(found, reader) is not None


# single-valued facts -------------------------------------------------------------------------------------------------

_CLASS = Text("a class of actor", r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VERIFIED = Record("`actor`", {"verified": PERIOD}, ("verified",), docs="rule actor")
ACTOR: Shape[Condition] = ByKind(
    "who asks",
    scalar=Made(Many(_CLASS), lambda names: model.ActorIs(classes=names)),
    sequence=Made(Many(_CLASS), lambda names: model.ActorIs(classes=names)),
    mapping=Made(_VERIFIED, lambda row: model.ActorIs(verified=row["verified"])),
)


class _Attested:
    """A kind of statement, a list of kinds, or kinds with what they are about."""

    def read(self, node: Node, reader: Reader) -> Condition | None:
        if isinstance(node, Mapping):
            parts = [self._about(key, value, reader) for key, value in node]
            if not parts:
                reader.report("TR308", "this `attested` names nothing", node, docs="rule attested")
            read = [part for part in parts if part is not None]
            return every(read) if read and len(read) == len(parts) else None
        names = Many(NAME).read(node, reader)
        for one in node if not isinstance(node, Scalar | Mapping) else (node,):
            self._warn(one, reader)
        return None if names is None else _either([model.Attested(what=name) for name in names])

    def _about(self, key: Scalar, value: Node, reader: Reader) -> Condition | None:
        what, found = NAME.read(key, reader), scalar(value, reader, "what the statement is about", "rule attested")
        self._warn(key, reader)
        if what is None or found is None:
            return None
        if found.text.startswith("of-") and not check_reference(found, reader, "attested"):
            return None
        return model.Attested(what=what, about=found.text)

    def _warn(self, one: Node, reader: Reader) -> None:
        kinds = reader.statements
        if kinds is not None and isinstance(one, Scalar) and one.text not in kinds:
            advice = did_you_mean(one.text, kinds)
            message = f"no statement is of the kind `{one.text}`"
            reader.report("TR212", message, one, advice=advice, docs="rule attested")

    def schema(self) -> Schema:
        about: Schema = {"type": "object", "additionalProperties": dict(SCALAR), "minProperties": 1}
        return {"anyOf": [Many(NAME).schema(), about]}


ATTESTED = _Attested()
HTTPS: Shape[Condition] = Made(BOOL, lambda wanted: model.Https(wanted=wanted))
UNDER: Shape[Condition] = Made(Int(1, 150), lambda years: model.Under(years=years))
AGGREGATE: Shape[Condition] = Made(Int(1, 1_000_000), lambda least: model.Aggregate(minimum=least))
CARRIERS = Many(OneOf(tuple(Carrier), "a carrier", "rule carrier"))
CARRIER: Shape[Condition] = Made(CARRIERS, lambda names: model.Names(word=Word.CARRIER, names=names))


class _Keep:
    """``of-purpose``, or a period."""

    def read(self, node: Node, reader: Reader) -> Condition | None:
        if isinstance(node, Scalar) and node.text == "of-purpose":
            return model.Keep()
        period = PERIOD.read(node, reader)
        return None if period is None else model.Keep(limit=period)

    def schema(self) -> Schema:
        return {"anyOf": [{"const": "of-purpose"}, PERIOD.schema()]}


KEEP = _Keep()
ROLE = _Role()

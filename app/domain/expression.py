"""The one small language of rule sets: names, numbers, + - * /, comparisons, and/or/not, min/max.

Text is parsed into a tree of our own with limits on length, size and depth; values are exact
rationals, and nothing is ever handed to Python to run. What an expression may be (a number or a
truth) is known when it is parsed; whether its inputs are known, only when it is evaluated.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from app.domain.rounding import MAX_DIGITS, from_decimal

Number = int | Fraction
Scalar = int | Fraction | str
Environment = Mapping[str, Scalar | None]
"""Inputs by name: absent means not yet known, None means not applicable to this unit."""

MAX_LENGTH = 500
MAX_NODES = 120
MAX_DEPTH = 20


class Kind(StrEnum):
    """What an expression is worth."""

    NUMBER = "number"
    TRUTH = "truth"
    TEXT = "text"


class ExpressionRefused(ValueError):
    """The text is no expression; ``fault`` is a dotted code and ``params`` its placeholders."""

    def __init__(self, fault: str, **params: str) -> None:
        super().__init__(f"{fault} {params}")
        self.fault = f"expression.{fault}"
        self.params = params


class Unanswerable(Exception):
    """The expression has no value for these inputs."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.name = name


class InputMissing(Unanswerable):
    """A value is not known yet."""


class InputNotApplicable(Unanswerable):
    """A value does not apply to this unit."""


class DividedByZero(Unanswerable):
    """There is nothing to divide by."""


class InputOfWrongKind(Unanswerable):
    """A text stands where a number is wanted, or a number where a text is."""


# ---------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True)
class Constant:
    """A number or a text written in the rule."""

    value: Scalar

    def of(self, env: Environment) -> Scalar:  # noqa: ARG002 - every node is asked the same way
        """Return the constant."""
        return self.value


@dataclass(frozen=True, slots=True)
class Name:
    """An input, as a number unless it is compared with a text."""

    name: str
    kind: Kind = Kind.NUMBER

    def of(self, env: Environment) -> Scalar:
        """Return the value of the input.

        :raises Unanswerable: it is missing, not applicable, or of the other kind.
        """
        try:
            value = env[self.name]
        except KeyError:
            raise InputMissing(self.name) from None
        if value is None:
            raise InputNotApplicable(self.name)
        if isinstance(value, str) != (self.kind is Kind.TEXT):
            raise InputOfWrongKind(self.name)
        return value


@dataclass(frozen=True, slots=True)
class Negative:
    """A number with its sign turned."""

    operand: "Expression"

    def of(self, env: Environment) -> Scalar:
        """Return the number with its sign turned."""
        return -self.operand.number(env)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers joined by + - * or /."""

    sign: str
    left: "Expression"
    right: "Expression"

    def of(self, env: Environment) -> Scalar:
        """Return the exact result.

        :raises DividedByZero: the divisor is 0.
        """
        left, right = self.left.number(env), self.right.number(env)
        match self.sign:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case _:
                if right == 0:
                    raise DividedByZero
                return Fraction(left, right)


@dataclass(frozen=True, slots=True)
class Extreme:
    """The least or the greatest of several numbers."""

    greatest: bool
    operands: tuple["Expression", ...]

    def of(self, env: Environment) -> Scalar:
        """Return the least or the greatest."""
        values = [operand.number(env) for operand in self.operands]
        return max(values) if self.greatest else min(values)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two numbers, or two texts, set against each other."""

    sign: str
    left: "Expression"
    right: "Expression"

    def of(self, env: Environment) -> Scalar:
        """Return 1 when it holds, else 0."""
        if self.sign == "==":
            return int(self.left.tree.of(env) == self.right.tree.of(env))
        if self.sign == "!=":
            return int(self.left.tree.of(env) != self.right.tree.of(env))
        left, right = self.left.number(env), self.right.number(env)
        match self.sign:
            case ">=":
                return int(left >= right)
            case ">":
                return int(left > right)
            case "<=":
                return int(left <= right)
            case _:
                return int(left < right)


@dataclass(frozen=True, slots=True)
class Junction:
    """Two truths joined by and/or; decided by one side alone when that side decides it."""

    decisive: bool
    left: "Expression"
    right: "Expression"

    def of(self, env: Environment) -> Scalar:
        """Return 1 or 0; an unknown input matters only if the other side does not decide.

        :raises Unanswerable: neither side decides and one has no value.
        """
        try:
            if self.left.truth(env) is self.decisive:
                return int(self.decisive)
        except InputMissing:
            if self.right.truth(env) is self.decisive:
                return int(self.decisive)
            raise
        return int(self.right.truth(env))


@dataclass(frozen=True, slots=True)
class Negation:
    """The opposite of a truth."""

    operand: "Expression"

    def of(self, env: Environment) -> Scalar:
        """Return 1 when the operand does not hold, else 0."""
        return int(not self.operand.truth(env))


Tree = Constant | Name | Negative | Arithmetic | Extreme | Comparison | Junction | Negation


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its tree, its kind, the names it reads, and its text."""

    tree: Tree
    kind: Kind
    names: tuple[str, ...]
    text: str

    def number(self, env: Environment) -> Number:
        """Return the number it is worth.

        :raises Unanswerable: an input is missing, not applicable or of the wrong kind, or a
            divisor is 0.
        """
        value = self.tree.of(env)
        if isinstance(value, str):
            raise InputOfWrongKind(self.text)
        return value

    def truth(self, env: Environment) -> bool:
        """Return whether it holds.

        :raises Unanswerable: as ``number``.
        """
        return self.tree.of(env) == 1

    @property
    def divides(self) -> bool:
        """Tell whether it divides by something that an input can make 0."""
        return any(
            isinstance(tree, Arithmetic) and tree.sign == "/" and tree.right.names
            for tree in walk(self)
        )


def walk(expression: Expression) -> list[Tree]:
    """Return every node of the tree, the root first."""
    trees: list[Tree] = []
    waiting = [expression.tree]
    while waiting:
        tree = waiting.pop()
        trees.append(tree)
        waiting.extend(part.tree for part in _parts(tree))
    return trees


def _parts(tree: Tree) -> tuple[Expression, ...]:
    match tree:
        case Constant() | Name():
            return ()
        case Negative(operand) | Negation(operand):
            return (operand,)
        case Extreme(operands=operands):
            return operands
        case Arithmetic() | Comparison() | Junction():
            return (tree.left, tree.right)


# ---------------------------------------------------------------- reading

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[0-9]+(?:\.[0-9]+)?(?![\w.]))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<text>"[^"\\]{0,80}")
    | (?P<sign>>=|<=|==|!=|[-+*/<>(),≥≤≠−×÷])
    )""",
    re.VERBOSE,
)
_SIGNS = {"≥": ">=", "≤": "<=", "≠": "!=", "−": "-", "×": "*", "÷": "/"}
_WORDS = frozenset({"and", "or", "not", "min", "max"})
_END = ("end", "")


def parse(text: str, kind: Kind) -> Expression:
    """Return the expression written in ``text``, which must be of the kind asked for.

    :raises ExpressionRefused: it is too long, too deep, malformed, or of another kind.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionRefused("too_long", limit=str(MAX_LENGTH))
    reader = _Reader(_tokens(text))
    expression = reader.whole()
    if expression.kind is not kind:
        raise ExpressionRefused(f"not_{kind}", text=text)
    return Expression(expression.tree, kind, expression.names, text.strip())


def constant(value: Number) -> Expression:
    """Return the expression that is always this number."""
    return Expression(Constant(value), Kind.NUMBER, (), str(value))


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ExpressionRefused("unreadable", found=text[at:].strip()[:20])
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return tokens


class _Reader:
    """Reads tokens by descent, one method for each strength of binding."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._nodes = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._either()
        if self._peek() != _END:
            raise ExpressionRefused("unexpected", found=self._peek()[1])
        return expression

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _accept(self, *signs: str) -> str | None:
        group, found = self._peek()
        found = _SIGNS.get(found, found)
        if group in {"sign", "name"} and found in signs:
            self._at += 1
            return found
        return None

    def _expect(self, sign: str) -> None:
        if self._accept(sign) is None:
            raise ExpressionRefused("expected", wanted=sign, found=self._peek()[1])

    def _made(self, tree: Tree, kind: Kind, *parts: Expression) -> Expression:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionRefused("too_large", limit=str(MAX_NODES))
        names = dict.fromkeys(name for part in parts for name in part.names)
        return Expression(tree, kind, tuple(names), "")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionRefused("too_deep", limit=str(MAX_DEPTH))

    def _either(self) -> Expression:
        left = self._both()
        while self._accept("or"):
            left = self._junction(left, self._both(), decisive=True)
        return left

    def _both(self) -> Expression:
        left = self._denied()
        while self._accept("and"):
            left = self._junction(left, self._denied(), decisive=False)
        return left

    def _junction(self, left: Expression, right: Expression, *, decisive: bool) -> Expression:
        left, right = _of(left, Kind.TRUTH), _of(right, Kind.TRUTH)
        return self._made(Junction(decisive, left, right), Kind.TRUTH, left, right)

    def _denied(self) -> Expression:
        if not self._accept("not"):
            return self._compared()
        self._deeper()
        operand = _of(self._denied(), Kind.TRUTH)
        self._depth -= 1
        return self._made(Negation(operand), Kind.TRUTH, operand)

    def _compared(self) -> Expression:
        left = self._sum()
        sign = self._accept(">=", "<=", "==", "!=", ">", "<")
        if sign is None:
            return left
        right = self._sum()
        if self._accept(">=", "<=", "==", "!=", ">", "<"):
            raise ExpressionRefused("chained")
        left, right = _same_kind(left, right, sign)
        return self._made(Comparison(sign, left, right), Kind.TRUTH, left, right)

    def _sum(self) -> Expression:
        left = self._product()
        while sign := self._accept("+", "-"):
            left = self._arithmetic(sign, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._signed()
        while sign := self._accept("*", "/"):
            left = self._arithmetic(sign, left, self._signed())
        return left

    def _arithmetic(self, sign: str, left: Expression, right: Expression) -> Expression:
        left, right = _of(left, Kind.NUMBER), _of(right, Kind.NUMBER)
        if sign == "/" and right.tree == Constant(Fraction(0)):
            raise ExpressionRefused("divides_by_zero")
        return self._made(Arithmetic(sign, left, right), Kind.NUMBER, left, right)

    def _signed(self) -> Expression:
        if not self._accept("-"):
            return self._atom()
        self._deeper()
        operand = _of(self._signed(), Kind.NUMBER)
        self._depth -= 1
        return self._made(Negative(operand), Kind.NUMBER, operand)

    def _atom(self) -> Expression:
        if self._accept("("):
            self._deeper()
            inner = self._either()
            self._expect(")")
            self._depth -= 1
            return inner
        if word := self._accept("min", "max"):
            return self._extreme(greatest=word == "max")
        group, found = self._peek()
        self._at += 1
        if group == "number":
            return self._number(found)
        if group == "text":
            return self._made(Constant(found[1:-1]), Kind.TEXT)
        if group == "name" and found not in _WORDS:
            made = self._made(Name(found), Kind.NUMBER)
            return Expression(made.tree, made.kind, (found,), "")
        raise ExpressionRefused("unexpected", found=found or "…")

    def _number(self, found: str) -> Expression:
        if len(found) > MAX_DIGITS:
            raise ExpressionRefused("too_long", limit=str(MAX_DIGITS))
        return self._made(Constant(from_decimal(found)), Kind.NUMBER)

    def _extreme(self, *, greatest: bool) -> Expression:
        self._deeper()
        self._expect("(")
        operands = [_of(self._sum(), Kind.NUMBER)]
        while self._accept(","):
            operands.append(_of(self._sum(), Kind.NUMBER))
        self._expect(")")
        self._depth -= 1
        return self._made(Extreme(greatest, tuple(operands)), Kind.NUMBER, *operands)


def _of(expression: Expression, kind: Kind) -> Expression:
    if expression.kind is not kind:
        raise ExpressionRefused(f"not_{kind}", text=expression.text or "…")
    return expression


def _same_kind(left: Expression, right: Expression, sign: str) -> tuple[Expression, Expression]:
    """Let a name that is compared with a text be a text; refuse every other mixture."""
    if Kind.TEXT in {left.kind, right.kind} and sign in {"==", "!="}:
        left, right = _as_text(left), _as_text(right)
        return left, right
    return _of(left, Kind.NUMBER), _of(right, Kind.NUMBER)


def _as_text(expression: Expression) -> Expression:
    match expression.tree:
        case Name(name):
            return Expression(Name(name, Kind.TEXT), Kind.TEXT, expression.names, "")
        case _:
            return _of(expression, Kind.TEXT)

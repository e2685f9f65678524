"""Every mistake in a configuration is told with its file, line and column, in words, and all of them at once."""

import re
from pathlib import Path

import pytest

from ml_connector.config.load import load_file, load_text
from ml_connector.config.problems import ConfigError
from ml_connector.connectors.systems import systems
from tests.config.examples import EXAMPLE, TEXT


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, "shop.yaml", systems())
    return [str(problem) for problem in caught.value.problems]


def changed(old: str, new: str) -> tuple[str, int]:
    """The example with one line changed, and that line's number."""
    assert TEXT.count(old) == 1, old
    return TEXT.replace(old, new), TEXT[: TEXT.index(old)].count("\n") + 1


# What is written instead of what, and the words that must be said about that very line.
TABLE = {
    "a key misspelt": (
        "    concurrency: 4                #",
        "    concurency: 4                #",
        "did you mean 'concurrency'",
    ),
    "a system unknown": ("system: s4hana", "system: s4hanna", "no system is called 's4hanna'; did you mean 's4hana'"),
    "plain http": ("base_url: https://my", "base_url: http://my", "must begin with https://"),
    "no address": ("base_url: https://my123456-api.s4hana.example", "base_url: my-sap", "must be an address like"),
    "a password in the address": (
        "base_url: https://my123456-api.s4hana.example",
        "base_url: https://me:pw@my123456-api.s4hana.example",
        "without user or password",
    ),
    "a setting misspelt": ("company_code: '1710'", "company_cod: '1710'", "did you mean 'company_code'"),
    "a number for a text": ("company_code: '1710'", "company_code: 1710", "write it in quotes: '1710'"),
    "a text for a number": ("batch_size: 20 ", "batch_size: many ", "must be a whole number"),
    "a text for a switch": ("b2b: false", "b2b: 'no'", "must be true or false"),
    "no date": ("open_from: 2026-01-01", "open_from: spring   ", "must be a date like 2026-01-31"),
    "a choice unknown": ("auth: oauth  ", "auth: oath  ", "did you mean 'oauth'"),
    "a group's key unknown": (
        "{order: DR, payment: DZ, refund: DG,",
        "{orders: DR, payment: DZ, refund: DG,",
        "'order'",
    ),
    "a secret in plain text": (
        "access_token: {env: BC_ACCESS_TOKEN}",
        "access_token: sk_live_12345",
        "a secret must not stand in this file: put it into the environment or a file, and write {env: ACCESS_TOKEN}",
    ),
    "a reference misspelt": (
        "{env: BC_CLIENT_SECRET}",
        "{enf: BC_CLIENT_SECRET}",
        "must be {env: NAME} or {file: PATH}",
    ),
    "a credential unknown": (
        "client_id: {env: S4_CLIENT_ID}",
        "client_idd: {env: S4_CLIENT_ID}",
        "did you mean 'client_id'",
    ),
    "an integration's store unknown": ("store: web-store", "store: web-shop", "no connection is called 'web-shop'"),
    "an ERP that is a store": ("erp: ledger", "erp: web-store", "which is not an ERP"),
    "hooks elsewhere": ("/hooks/web-store", "/hooks/other", "must end in /hooks/web-store"),
    "a flow unknown": (
        "orders: {enabled: true, poll_s: 60",
        "order: {enabled: true, poll_s: 60",
        "did you mean 'orders'",
    ),
    "a poll too often": ("poll_s: 300", "poll_s: 0", "greater than or equal to 1"),
    "a policy key misspelt": ("posting.trigger: capture", "posting.triger: capture", "did you mean 'posting.trigger'"),
    "a policy value unknown": ("posting.trigger: capture", "posting.trigger: never", "is not one of capture"),
    "a tag too long": ("reference.tag: S1  ", "reference.tag: STORE  ", "is not a tag"),
    "a role misspelt": ("receivable: '12100000'", "receivables: '12100000'", "did you mean 'receivable'"),
    "a rate that is none": ("rate: '8.25', tax_code: O1", "rate: high, tax_code: O1", "is not a decimal"),
    "a table's field misspelt": ("{gateway: stripe, account:", "{gateway: stripe, acount:", "did you mean 'account'"),
    "timing outside a sandbox": ("    concurrency: 4\n    # tls", "    timing: {t_s: 5}\n    # tls", "sandbox: true"),
    "a version unknown": ("version: 1", "version: 2", "is not known here"),
    "a name with capitals": ("  us-store:", "  US Store:", "lower-case letters"),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_mistake_is_told_at_its_line(name: str) -> None:
    old, new, words = TABLE[name]
    text, line = changed(old, new)
    told = problems_of(text)
    assert any(re.match(rf"shop\.yaml:{line}:\d+: ", problem) and words in problem for problem in told), told


def test_a_missing_setting_is_told_at_its_section() -> None:
    text, line = changed("      store_hash: abc123\n", "")
    (problem,) = problems_of(text)
    assert problem.startswith(f"shop.yaml:{line - 1}:")
    assert "store_hash (Store hash) is missing" in problem


def test_a_missing_secret_names_the_form_to_write() -> None:
    text, _ = changed("      webhook_secret: {env: BC_WEBHOOK_SECRET}\n", "")
    (problem,) = problems_of(text)
    assert (
        "webhook_secret (Webhook secret) is missing; give it under credentials as {env: NAME} or {file: PATH}"
        in problem
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = TEXT.replace("b2b: false", "b2b: 'no'").replace("erp: ledger", "erp: legder").replace("tag: S1", "tag: ''")
    told = problems_of(text)
    assert len(told) == 3
    lines = [int(problem.split(":")[1]) for problem in told]
    assert lines == sorted(lines)


def with_another_store(text: str, *, erp: str) -> str:
    """The same integration once more, of another store."""
    store = text[text.index("  web-store:") : text.index("  ledger:")]
    store = store.replace("  web-store:", "  eu-shop:").replace("abc123", "xyz789")
    second = text[text.index("  us-store:") :].replace("  us-store:", "  eu-store:")
    second = second.replace("web-store", "eu-shop").replace("erp: ledger", f"erp: {erp}")
    return text.replace("  ledger:", f"{store}  ledger:") + "\n" + second


def test_two_stores_with_one_tag_in_one_erp_are_refused() -> None:
    (problem,) = problems_of(with_another_store(TEXT, erp="ledger"))
    assert "'S1' is the tag of 'us-store' already, which posts into the same connection 'ledger'" in problem


def test_two_stores_with_one_tag_in_the_same_books_under_two_names_are_refused() -> None:
    """Each would find the other's documents under its own references, and take them for its own."""
    ledger = TEXT[TEXT.index("  ledger:") : TEXT.index("integrations:")]
    again = ledger.replace("  ledger:", "  ledger-eu:").replace("s4hana.example", "S4HANA.example:443", 1)
    text = with_another_store(TEXT.replace("integrations:", f"{again}\nintegrations:"), erp="ledger-eu")
    (problem,) = problems_of(text)
    assert "'S1' is the tag of 'us-store' already, which posts into 'ledger', the same books as 'ledger-eu'" in problem
    load_text(text.replace("'1710'", "'1720'", 1), "shop.yaml", systems())


def test_the_orders_of_one_store_come_into_the_same_books_once() -> None:
    """An order has another name under another tag: nothing would find that it is there already."""
    second = TEXT[TEXT.index("  us-store:") :].replace("  us-store:", "  new-store:").replace("tag: S1", "tag: S2")
    (problem,) = problems_of(TEXT + "\n" + second)
    assert "come into these books by 'us-store' already, and would be booked twice" in problem
    idle = second.replace("    store: web-store", "    active: false\n    store: web-store")
    load_text(TEXT + "\n" + idle, "shop.yaml", systems())


def test_a_choice_that_the_erp_cannot_serve_is_told_when_the_file_is_read() -> None:
    """The old posting service of private systems reverses nothing."""
    text = TEXT.replace("company_code: '1710'", "company_code: '1710'\n      journal_version: '2020'")
    told = problems_of(text)
    assert any("asks for a reversal, and SAP S/4HANA posts none with the settings of 'ledger'" in each for each in told)
    tag = next(line for line in text.splitlines() if "reference.tag" in line)
    indent = tag[: len(tag) - len(tag.lstrip())]
    lines = [line for line in text.splitlines() if "cancel.after_posting" not in line and "  amendment:" not in line]
    lines.insert(lines.index(tag), f"{indent}cancel.after_posting: hold\n{indent}amendment: hold")
    load_text("\n".join(lines), "shop.yaml", systems())


def test_a_secret_written_in_plain_text_is_not_repeated() -> None:
    text, _ = changed("access_token: {env: BC_ACCESS_TOKEN}", "access_token: sk_live_12345")
    assert "sk_live_12345" not in "\n".join(problems_of(text))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version: 1\nconnections: [\n  a: b", 3, "not valid YAML"),
        ("version: 1\nversion: 1", 2, "is given twice, first in line 1"),
        ("\tversion: 1", 1, "not valid YAML"),
        ("", 1, "the file is empty"),
        ("version: !!python/object/apply:os.system [x]", 1, "has no place here"),
        ("a: &a {b: *a}", 1, "too large or too deep"),
        ("- 1\n- 2", 1, "must be a table"),
    ],
)
def test_what_is_no_configuration_at_all_is_told_with_its_place(text: str, line: int, words: str) -> None:
    told = problems_of(text)
    assert any(problem.startswith(f"shop.yaml:{line}:") and words in problem for problem in told), told


def test_a_file_that_names_billions_of_values_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "too large" in problems_of("\n".join(lines))[0]


def test_a_file_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_file(tmp_path / "none.yaml", systems())
    (tmp_path / "bad.yaml").write_bytes(b"version: \xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_file(tmp_path / "bad.yaml", systems())


def test_account_numbers_keep_their_zeros_and_rates_their_digits() -> None:
    text = TEXT.replace("revenue: '41000000'", "revenue: 0041000000").replace("rate: '8.25'", "rate: 8.25")
    mapping = load_text(text, "shop.yaml", systems()).config.integrations["us-store"].mapping
    assert "0041000000" in mapping.accounts.values()
    assert str(mapping.taxes[0].rate) == "8.25"


def test_the_example_itself_is_fine() -> None:
    config = load_file(EXAMPLE, systems()).config
    assert list(config.integrations) == ["us-store"]

"""What the connection to the ERP cannot post, said before anything of an order is sent."""

from ml_connector.domain.documents import Documents, Held, HoldCode
from ml_connector.domain.policy import Policy
from ml_connector.planning.facts import Facts
from ml_connector.planning.families import asked_kinds


def unserved(plan: Documents, policy: Policy, facts: Facts) -> Held | None:
    """One document that cannot be posted stops them all: half of an order in the books is worse than none."""
    if facts.kinds is None:
        return None
    for document in plan.documents:
        if not document.already and document.kind not in facts.kinds:
            key = asked_kinds(facts.style, facts.family, policy).get(document.kind, "")
            return Held(
                HoldCode.UNSUPPORTED_DOCUMENT,
                f"the plan has a {document.kind.value} ({document.reference}), and the connection to the ERP posts none"
                + (f": choose another {key} in the policy, or post it by hand" if key else ": post it by hand"),
                key=document.kind.value,
                facts={"reference": document.reference, "kind": document.kind.value},
            )
    return None

"""The Merkle tree against published vectors, and against the verifier that shares no code with it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.seals import hash_tree, list_path
from services.ledger.verify_proof import NotProven, climb

# The leaves and roots with which Certificate Transparency's implementations are tested (RFC 6962).
CT_LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize(("count", "root"), CT_ROOTS.items())
def test_the_tree_is_that_of_certificate_transparency(count: int, root: str) -> None:
    leaves = [hashlib.sha256(b"\x00" + each).digest() for each in CT_LEAVES[:count]]
    assert hash_tree(leaves).hex() == root


@given(st.integers(1, 40), st.data())
def test_every_path_leads_to_the_root_and_no_other_does(count: int, data: st.DataObject) -> None:
    leaves = [hashlib.sha256(b"%d" % each).digest() for each in range(count)]
    index = data.draw(st.integers(0, count - 1))
    root, path = hash_tree(leaves), list_path(leaves, index)
    assert climb(leaves[index], index, count, path) == root
    other = data.draw(st.integers(0, count - 1).filter(lambda each: each != index or count == 1))
    if other != index:
        assert _climbs_to(root, leaves[other], index, count, path) is False
        assert _climbs_to(root, leaves[index], other, count, path) is False
    assert _climbs_to(root, leaves[index], index, count, [*path, root]) is False
    if path:
        assert _climbs_to(root, leaves[index], index, count, path[:-1]) is False


def _climbs_to(root: bytes, leaf: bytes, index: int, count: int, path: list[bytes]) -> bool:
    try:
        return climb(leaf, index, count, path) == root
    except NotProven:
        return False

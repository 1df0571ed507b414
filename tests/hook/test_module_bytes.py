"""What the hook asks about the bytes of each module, against the obvious way to answer it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmpy._runtime import checksum, mentions_stmpy


@given(st.lists(st.sampled_from([b"stmpy", b"s", b"st", b"stm", b"stmp", b"tmpy", b"stnpy", b"-" * 61])))
def test_a_mention_is_found_wherever_it_is(parts):
    data = b"".join(parts)
    assert mentions_stmpy(data) == (b"stmpy" in data)


@pytest.mark.parametrize("before", range(140))
def test_a_mention_is_found_at_every_place_of_a_block(before):
    for behind in 0, 1, 63, 64, 65, 200:
        assert mentions_stmpy(b"-" * before + b"stmpy" + b"-" * behind)
        assert not mentions_stmpy(b"-" * before + b"stm-py" + b"-" * behind)


@pytest.mark.parametrize("size", [1, 7, 8, 63, 64, 65, 1000])
def test_every_bit_counts_for_the_checksum(size):
    data = bytearray(random.Random(size).randbytes(size))
    sums = {checksum(bytes(data))}
    for place in range(size):
        for bit in range(8):
            data[place] ^= 1 << bit
            sums.add(checksum(bytes(data)))
            data[place] ^= 1 << bit
    assert len(sums) == 1 + 8 * size


def test_the_length_counts_for_the_checksum():
    assert len({checksum(bytes(size)) for size in range(300)}) == 300


def test_only_bytes_have_either():
    for function in mentions_stmpy, checksum:
        with pytest.raises(TypeError):
            function("stmpy")

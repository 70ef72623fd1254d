"""The natural voice, where it has been fetched."""

import os
from pathlib import Path

import pytest

from voicechat.parts import PartError, Store


@pytest.fixture(scope="session")
def joe() -> Path:
    try:
        return Store(Path(os.environ["VOICECHAT_TEST_HOME"])).folder("piper:en_US-joe-medium")
    except PartError as error:
        pytest.skip(str(error))

from relay.sandbox.world import irp, prepaid, shared
from relay.sandbox.world.stories import STORIES
from relay.standard.catalogue import load_catalogue


def test_every_data_api_but_the_list_of_apis_has_a_story_and_nothing_else_has():
    # an institution tells its list of APIs itself: it follows from the catalogue
    data = {api.api_id for api in load_catalogue().iter_data_apis()}
    assert set(STORIES) == data - {"정보제공-공통-001"}


def test_no_story_is_told_twice_in_different_words():
    for module in (irp, prepaid, shared):
        assert module.STORIES.items() <= STORIES.items()

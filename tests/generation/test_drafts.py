from evalharness.generation.drafts import Drafts


def test_what_repeats_is_guessed_for_as_long_as_wanted():
    drafts = Drafts()
    drafts.learn([1, 2, 3, 1, 2, 3])
    assert drafts.guess([1, 2, 3, 1, 2, 3], 7) == [1, 2, 3, 1, 2, 3, 1]


def test_the_longest_match_decides():
    drafts = Drafts()
    drafts.learn([5, 1, 2, 3, 7])
    drafts.learn([6, 4, 3, 8])
    assert drafts.guess([5, 1, 2, 3], 1) == [7]


def test_of_equal_matches_the_latest_decides():
    drafts = Drafts()
    drafts.learn([1, 2, 1, 3])
    assert drafts.guess([1], 1) == [3]


def test_nothing_is_guessed_where_nothing_was_seen():
    drafts = Drafts()
    drafts.learn([1, 2, 3])
    assert drafts.guess([9], 5) == []
    assert drafts.guess([], 5) == []


def test_a_guess_ends_where_the_known_text_does():
    drafts = Drafts()
    drafts.learn([1, 2, 3])
    assert drafts.guess([1], 5) == [2, 3]


def test_no_room_means_no_guess():
    drafts = Drafts()
    drafts.learn([1, 1, 1])
    assert drafts.guess([1], 0) == []
    assert drafts.guess([1], -1) == []


def test_learning_goes_on_where_it_stopped():
    whole, in_parts = Drafts(), Drafts()
    text = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3]
    whole.learn(text)
    in_parts.learn(text[:4])
    in_parts.learn(text[:7], 4)
    in_parts.learn(text, 7)
    for end in range(1, len(text) + 1):
        assert whole.guess(text[:end], 6) == in_parts.guess(text[:end], 6)

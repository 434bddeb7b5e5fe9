from google.protobuf import descriptor_pb2

from gateway.transcoding.comments import read_comments


def contract(comment):
    """A serialized set: message odd.Outer, in it enum Mood {MOOD_UNSPECIFIED, MOOD_GOOD} and field mood."""
    file = descriptor_pb2.FileDescriptorProto(name="odd.proto", package="odd", syntax="proto3")
    outer = file.message_type.add(name="Outer")
    outer.field.add(name="mood", number=1)
    mood = outer.enum_type.add(name="Mood")
    mood.value.add(name="MOOD_UNSPECIFIED", number=0)
    mood.value.add(name="MOOD_GOOD", number=1)
    for path in ([4, 0], [4, 0, 2, 0], [4, 0, 4, 0], [4, 0, 4, 0, 2, 1]):
        file.source_code_info.location.add(path=path, leading_comments=comment)
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()


def test_comments_are_found_by_full_name_and_unwrapped():
    comments = read_comments(contract(" One line\n and the next.\n\n A paragraph.\n"))
    for name in ("odd.Outer", "odd.Outer.mood", "odd.Outer.Mood", "odd.Outer.Mood.MOOD_GOOD"):
        assert comments.of(name) == "One line and the next.\n\nA paragraph."
    assert comments.of("odd.Outer.Mood.MOOD_UNSPECIFIED") == ""
    assert comments.of("odd.Nothing") == ""


def test_an_enum_value_is_spelt_as_in_json_and_other_constants_stay():
    comments = read_comments(contract(" MOOD_GOOD, not MOOD_UNSPECIFIED; else NOT_FOUND."))
    assert comments.of("odd.Outer") == "`good`, not MOOD_UNSPECIFIED; else NOT_FOUND."


def test_a_summary_is_the_first_clause():
    for comment in ("Makes it, and returns it.", "Makes it, and returns it. More.", "Makes it, and returns it: how."):
        assert read_comments(contract(comment)).summary_of("odd.Outer") == "Makes it, and returns it"
    assert read_comments(contract("See http://a.b/c.d: it.")).summary_of("odd.Outer") == "See http://a.b/c.d"

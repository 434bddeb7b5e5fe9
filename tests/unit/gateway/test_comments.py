from google.protobuf import descriptor_pb2

from gateway.transcoding.openapi.comments import parse_comments


def descriptor_set_with(comment):
    """Build a serialized descriptor set: message odd.Outer with an enum Mood (MOOD_GOOD is 1) and a field mood."""
    file = descriptor_pb2.FileDescriptorProto(name="odd.proto", package="odd", syntax="proto3")
    outer = file.message_type.add(name="Outer")
    outer.field.add(name="mood", number=1)
    mood = outer.enum_type.add(name="Mood")
    mood.value.add(name="MOOD_UNSPECIFIED", number=0)
    mood.value.add(name="MOOD_GOOD", number=1)
    for path in ([4, 0], [4, 0, 2, 0], [4, 0, 4, 0], [4, 0, 4, 0, 2, 1]):
        file.source_code_info.location.add(path=path, leading_comments=comment)
    return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()


def test_comments_are_found_by_full_name():
    """The lines of a comment are joined; its paragraphs stay."""
    comments = parse_comments(descriptor_set_with(" One line\n and the next.\n\n A paragraph.\n"))
    for name in ("odd.Outer", "odd.Outer.mood", "odd.Outer.Mood", "odd.Outer.Mood.MOOD_GOOD"):
        assert comments.get(name) == "One line and the next.\n\nA paragraph."
    assert comments.get("odd.Outer.Mood.MOOD_UNSPECIFIED") == ""
    assert comments.get("odd.Nothing") == ""


def test_enum_values_have_json_names():
    """An enum value in a comment gets its JSON name; other constants stay."""
    comments = parse_comments(descriptor_set_with(" MOOD_GOOD, not MOOD_UNSPECIFIED; else NOT_FOUND."))
    assert comments.get("odd.Outer") == "`good`, not MOOD_UNSPECIFIED; else NOT_FOUND."


def test_summary_is_first_clause():
    for comment in ("Makes it, and returns it.", "Makes it, and returns it. More.", "Makes it, and returns it: how."):
        assert parse_comments(descriptor_set_with(comment)).summary("odd.Outer") == "Makes it, and returns it"
    assert parse_comments(descriptor_set_with("See http://a.b/c.d: it.")).summary("odd.Outer") == "See http://a.b/c.d"
    with_parentheses = parse_comments(descriptor_set_with("Makes it (here: a thing) and returns it. More."))
    assert with_parentheses.summary("odd.Outer") == "Makes it (here: a thing) and returns it"

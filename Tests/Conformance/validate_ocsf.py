"""Validates OCSF events, one JSON object a line on standard input: `validate_ocsf.py VERSION`. Prints each fault and exits 1 where there is one.

Twice over. By the JSON Schema of the event's class with the profiles that its metadata names, which PyPI's ocsf-json-schema makes; and
attribute by attribute by ocsf-lib's own model of the schema: unknown and deprecated attributes, required ones, types, enumerations,
constraints, class, type and category ids. ocsf-lib carries no schema: both read the one that schema.ocsf.io exports (compiled from
ocsf/ocsf-schema), which ocsf-json-schema packages.
"""
import json
import re
import sys
from importlib.resources import files

from jsonschema import Draft202012Validator
from ocsf.schema import from_file
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

version = sys.argv[1]
schema = from_file(str(files("ocsf_json_schema") / "ocsf" / f"{version}.json"))
embedded = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
validators = {}
PRIMITIVES = {"string_t": str, "integer_t": int, "long_t": int, "float_t": (int, float), "boolean_t": bool, "json_t": object}


def by_json_schema(event):
    key = (event["class_uid"], tuple(event["metadata"]["profiles"]))
    if key not in validators:
        name = embedded.lookup_class_name_from_uid(key[0])
        validators[key] = Draft202012Validator(embedded.get_class_schema(name, profiles=list(key[1])))
    return [f"{'.'.join(map(str, e.path))}: {e.message}" for e in validators[key].iter_errors(event)]


def applies(attribute, profiles):
    wanted = attribute.profile
    return not wanted or bool(set([wanted] if isinstance(wanted, str) else wanted) & profiles)


def by_model(thing, value, profiles, path):
    """`value` against a class or an object of the schema."""
    attributes = {n: a for n, a in thing.attributes.items() if applies(a, profiles)}
    if not attributes:
        return
    for name in value:
        if name not in attributes:
            yield f"{path}{name}: no attribute of {thing.name}"
        elif attributes[name].deprecated:
            yield f"{path}{name}: deprecated"
    for name, attribute in attributes.items():
        if name in value:
            yield from by_attribute(attribute, value[name], profiles, f"{path}{name}")
        elif attribute.requirement == "required":
            yield f"{path}{name}: required"
    constraints = thing.constraints or {}
    if "at_least_one" in constraints and not any(n in value for n in constraints["at_least_one"]):
        yield f"{path}: needs one of {constraints['at_least_one']}"
    if "just_one" in constraints and sum(n in value for n in constraints["just_one"]) != 1:
        yield f"{path}: needs just one of {constraints['just_one']}"


def by_attribute(attribute, value, profiles, path):
    if attribute.is_array:
        if not isinstance(value, list):
            yield f"{path}: no array"
            return
        for index, item in enumerate(value):
            yield from by_item(attribute, item, profiles, f"{path}[{index}]")
    else:
        yield from by_item(attribute, value, profiles, path)


def by_item(attribute, value, profiles, path):
    if attribute.is_object() or attribute.type == "object_t":
        name = attribute.object_type or attribute.type
        if not isinstance(value, dict):
            yield f"{path}: no object"
        else:
            yield from by_model(schema.objects[name], value, profiles, path + ".")
        return
    if attribute.enum and str(value) not in attribute.enum:
        yield f"{path}: {value} is none of the enumeration"
    name, definition = attribute.type, schema.types.get(attribute.type)
    while definition is not None:
        if definition.regex and not re.search(definition.regex, str(value)):
            yield f"{path}: {value!r} is no {name}"
        if definition.max_len and len(str(value)) > definition.max_len:
            yield f"{path}: longer than {definition.max_len}"
        if not definition.type:
            break
        name, definition = definition.type, schema.types.get(definition.type)
    kind = PRIMITIVES.get(name)
    if kind is None or not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        yield f"{path}: {value!r} is no {name}"


def faults(event):
    yield from by_json_schema(event)
    found = [c for c in schema.classes.values() if c.uid == event["class_uid"]]
    if len(found) != 1:
        yield f"class_uid {event['class_uid']}: {len(found)} classes"
        return
    yield from by_model(found[0], event, set(event["metadata"]["profiles"]), "")
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        yield "type_uid is not class_uid * 100 + activity_id"
    for name in ("activity", "action", "disposition"):
        text = {"activity": "activity_name"}.get(name, name)
        if event.get(f"{name}_id") == 99 and text not in event:
            yield f"{name}_id is 99, and {text} does not say what"


count = 0
failed = False
for number, line in enumerate(sys.stdin, 1):
    count += 1
    for fault in faults(json.loads(line)):
        failed = True
        print(f"line {number}: {fault}", file=sys.stderr)
print(f"{count} events valid under OCSF {version}" if not failed else f"{count} events, some not valid")
sys.exit(failed or count == 0)

"""Parses output of the exporter with independent parsers: `read_back.py html|calendar|csv FILE` prints JSON."""

import csv
import json
import sys

import html5lib
import icalendar


def html(text):
    """Parses a page as a browser does: table rows, text, links, and elements or attributes that could run code."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    page = parser.parse(text)
    elements = [element for element in page.iter() if isinstance(element.tag, str)]
    attributes = [(element.tag, *item) for element in elements for item in element.attrib.items()]
    text_of = lambda element: "".join(element.itertext())
    return {
        "rows": [[text_of(cell) for cell in row.iter("td")] for row in page.iter("tr")],
        # Of the elements without further ones.
        "leaves": [text_of(element) for element in elements if len(element) == 0],
        "text": " ".join(text_of(page.find("body")).split()),
        "links": [value for _, name, value in attributes if name in ("href", "src")],
        "tags": sorted({element.tag for element in elements}),
        "scripts": sum(element.tag == "script" for element in elements),
        "handlers": [name for _, name, _ in attributes if name.startswith("on")],
        "errors": [code for _, code, _ in parser.errors],
    }


def calendar(text):
    """The events of a calendar feed."""
    feed = icalendar.Calendar.from_ical(text)
    keys = ("UID", "SUMMARY", "DESCRIPTION", "URL")
    events = [{key: str(event[key]) if key in event else None for key in keys} for event in feed.walk("VEVENT")]
    return {"events": events, "parts": sorted({part.name for part in feed.walk()})}


def calendar_events(text):
    """The events of a calendar feed with their alarms, as read_calendar.mjs prints them."""
    feed = icalendar.Calendar.from_ical(text)
    time = lambda value: value.dt.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    events = [
        {
            "uid": str(event["UID"]),
            "summary": str(event["SUMMARY"]),
            "description": str(event["DESCRIPTION"]),
            "start": time(event["DTSTART"]),
            "alarms": [time(alarm["TRIGGER"]) for alarm in event.walk("VALARM")],
        }
        for event in feed.walk("VEVENT")
    ]
    return {"refresh": int(feed["REFRESH-INTERVAL"].dt.total_seconds()), "events": events}


def table(text):
    """The cells of a CSV table."""
    return list(csv.reader(text.splitlines(keepends=True), strict=True))


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8", errors="strict", newline="") as file:
        print(json.dumps({"html": html, "calendar": calendar, "events": calendar_events, "csv": table}[sys.argv[1]](file.read())))

// Parses a calendar with ical.js: `node read_calendar.mjs ICAL_JS FILE` prints its events as JSON, as read_back.py does.
import { readFileSync } from "node:fs";

const { default: ICAL } = await import(process.argv[2]);
const calendar = new ICAL.Component(ICAL.parse(readFileSync(process.argv[3], "utf8")));
const events = calendar.getAllSubcomponents("vevent").map((event) => ({
  uid: event.getFirstPropertyValue("uid"),
  summary: event.getFirstPropertyValue("summary"),
  description: event.getFirstPropertyValue("description"),
  start: event.getFirstPropertyValue("dtstart").toJSDate().toISOString(),
  alarms: event
    .getAllSubcomponents("valarm")
    .map((alarm) => alarm.getFirstPropertyValue("trigger").toJSDate().toISOString()),
}));
const refresh = calendar.getFirstPropertyValue("refresh-interval").toSeconds();
console.log(JSON.stringify({ refresh, events }));

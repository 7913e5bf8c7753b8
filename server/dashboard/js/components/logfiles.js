/** The files of the log, and how to check them where they are. */

import { h } from "../dom.js";
import { ago, bytes, dateTime, number } from "../format.js";
import { badge } from "./badge.js";
import { copyable } from "./copy.js";
import { facts, panel } from "./panel.js";
import { empty } from "./states.js";
import { table } from "./table.js";

/** Segments and snapshots. */
export function logFiles({ measured_at: measured, segments_total: total, segments, snapshots }, ctx) {
  const when = measured ? `as they were ${ago(measured, ctx.now())}` : "not looked at yet";
  return [
    panel({ title: "Segments", id: "segments", aside: `${number(total)}, ${when}` },
      table({ caption: "Segments", columns: segmentColumns(ctx), rows: segments, rowKey: ({ file }) => file, nothing: empty("None", "This log is in memory, or was not looked at yet.") }),
      total > segments.length && h("p", { class: "dim" }, `The newest ${number(segments.length)}.`)),
    panel({ title: "Snapshots", id: "snapshots" },
      table({ caption: "Snapshots", columns: snapshotColumns(ctx), rows: snapshots, rowKey: ({ file }) => file, nothing: empty("No snapshot yet", "The next start reads the log from its beginning.") })),
  ];
}

/** What the server knows of its log, and the commands that know more. */
export function logIntegrity(stat) {
  const behind = stat.last - stat.durable;
  return panel({ title: "Is it whole?", id: "integrity" },
    facts([
      ["State", stat.failed ? h("span", { class: "bad" }, "it cannot be written") : h("span", { class: "good" }, "it is being written")],
      ["Sync mode", h("code", {}, stat.sync)],
      ["Last position", number(stat.last)],
      ["Durable", behind > 0 ? `${number(stat.durable)} (${number(behind)} to go)` : number(stat.durable)],
      ["Known to be synced", number(stat.synced)],
      ["Chain head", copyable(stat.chain)],
      ["Epoch", number(stat.epoch)],
      ["Cluster", copyable(stat.cluster)],
    ]),
    h("p", {}, "Each record's hash holds all before it, so the chain head stands for the whole log. The server checks what it reads; to read and check all of it, run this where the data directory is, beside the running server:"),
    h("p", {}, copyable("spoolog log verify")),
    h("p", {}, "A log that was rewritten as a whole is only found by a checkpoint that is kept elsewhere. Sign one, and compare with it later:"),
    h("p", {}, copyable("spoolog log checkpoint --out checkpoint")),
    h("p", {}, copyable("spoolog log verify --checkpoint checkpoint")),
    h("p", { class: "dim" }, "With --data-dir when the data directory is not ./spoolog-data."));
}

function segmentColumns(ctx) {
  return [
    { key: "file", label: "File", head: true, cell: ({ file }) => h("code", {}, file) },
    { key: "state", label: "State", cell: (segment) => stateOf(segment) },
    { key: "first", label: "First", numeric: true, cell: ({ first }) => number(first) },
    { key: "last", label: "Last", numeric: true, cell: ({ last }) => (last === null ? "–" : number(last)) },
    { key: "bytes", label: "Text", numeric: true, cell: ({ bytes: text }) => bytes(text) },
    { key: "file_bytes", label: "On disk", numeric: true, cell: ({ file_bytes: size }) => bytes(size) },
    { key: "created", label: "Begun", numeric: true, minor: true, cell: ({ created_at: at }) => when(at, ctx) },
  ];
}

function snapshotColumns(ctx) {
  return [
    { key: "file", label: "File", head: true, cell: ({ file }) => h("code", {}, file) },
    { key: "state", label: "State", cell: ({ damage }) => (damage ? damaged(damage) : badge("healthy", "there")) },
    { key: "position", label: "Position", numeric: true, cell: ({ position }) => number(position) },
    { key: "bytes", label: "Size", numeric: true, cell: ({ bytes: size }) => bytes(size) },
    { key: "created", label: "Made", numeric: true, cell: ({ created_at: at }) => when(at, ctx) },
  ];
}

function stateOf({ damage, sealed, compressed }) {
  if (damage) return damaged(damage);
  return [badge(sealed ? "completed" : "processing", sealed ? "sealed" : "growing"), compressed && [" ", badge("plain", "compressed")]];
}

function damaged(reason) {
  return [badge("failed", "damaged"), " ", reason];
}

function when(at, ctx) {
  return at === null ? "–" : h("span", { title: dateTime(at) }, ago(at, ctx.now()));
}

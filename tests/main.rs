//! Tests of the program on live interpreters. One binary; this is its table of contents.
//!
//! Each test loops over the interpreters found on this machine and names the one it fails on.
//! `LEAKHUNT_TEST_PYTHONS=3.14,python3` keeps to some of them by name, `LEAKHUNT_STRESS=1` runs the
//! long forms of `stress`, `LEAKHUNT_BIN=FILE` tests another build of the program, and
//! `LEAKHUNT_PYTHONS_TOOL=FILE` names the tool that lists further interpreters.

#[cfg(test)]
mod support;

/// `hunt --account`: targets with memory in known states.
#[cfg(test)]
mod account;
/// The image that goes into a target needs no loader.
#[cfg(test)]
mod agent_image;
/// `asyncio-debug`: what it sets is set, and restored.
#[cfg(test)]
mod asyncio_debug;
/// Captures of the graph leave targets as they were, also when they are cut off.
#[cfg(test)]
mod captures;
/// Counts and bytes of each type are the interpreter's own, garbage is the collector's.
#[cfg(test)]
mod census;
/// `check`: programs that leak and that do not, their rounds, and what is written for CI.
#[cfg(test)]
mod check;
/// Arguments, help, exit codes and what goes to which stream.
#[cfg(test)]
mod cli;
/// `diff`: what grew from one file to another, and the gate for builds.
#[cfg(test)]
mod diff;
/// `leakhunt.listen()`: who gets in by a door, and that hostile visitors do no harm.
#[cfg(test)]
mod door;
/// `dump`: the reprs of a type's objects, and what a hostile `__repr__` cannot do.
#[cfg(test)]
mod dump;
/// The agent's code on an interpreter in the test's own process.
#[cfg(test)]
mod embedded;
/// Targets that end while leakhunt is there, and what is left to them of its copies.
#[cfg(test)]
mod endings;
/// Each reason not to attach has its message, its remedy and exit code 3.
#[cfg(test)]
mod errors;
/// The types of well-known extension modules, at work in threads.
#[cfg(test)]
mod extensions;
/// The module in interpreters without the GIL.
#[cfg(test)]
mod free_threaded;
/// Garbage, the collector, what native code holds, threads and descriptors.
#[cfg(test)]
mod garbage;
/// Graphs: objects, types, sizes and references as the collector knows them, and the names of these.
#[cfg(test)]
mod graph;
/// `growth`: numbers equal to objgraph's, its formats, its log, its ways to end.
#[cfg(test)]
mod growth;
/// Targets in namespaces, in a chroot, and embedded in a C program.
#[cfg(test)]
mod habitats;
/// `hunt` on leaks that published packages had, and on the versions without them.
#[cfg(test)]
mod history;
/// `sources`: who holds new objects, by a path that leads there; fixtures and their twins.
#[cfg(test)]
mod holders;
/// Files in guppy's format against guppy itself.
#[cfg(test)]
mod hpy;
/// `hunt`: its verdicts and formats, `--trace`, `--fail`, `--accept`, its ways to end.
#[cfg(test)]
mod hunt;
/// `hunt --children`: all processes of a tree, each looked at, differences between them named.
#[cfg(test)]
mod hunt_children;
/// `hunt` on all fixtures: each leak is named first, and nothing is said of the twins.
#[cfg(test)]
mod hunt_fixtures;
/// Objects that should be gone and their twins, and what objects are in the midst of.
#[cfg(test)]
mod inspect;
mod inventories;
/// `lru`: caches of all makers, with the numbers that they tell of themselves.
#[cfg(test)]
mod lru;
/// Real packages in the target: aiohttp, Django, numpy, pandas, gunicorn.
#[cfg(test)]
mod packages;
/// `paths` and `graph`: how objects of a snapshot are held, and a picture of it that others can read.
#[cfg(test)]
mod paths;
/// `ps`: what can be attached and what cannot.
#[cfg(test)]
mod ps;
/// The plugin for pytest, beside other plugins, and on a published project's tests.
#[cfg(test)]
mod pytest;
/// `scheduled`: the timers of event loops as the loops have them.
#[cfg(test)]
mod scheduled;
/// `show`: what is in a file, whatever it is.
#[cfg(test)]
mod show;
/// The snapshot folder: documented queries, damage, replacement, full disks.
#[cfg(test)]
mod snapshot_file;
/// `sockets`: Python's objects and the kernel's view, beside objgraph, `ss` and `/proc`.
#[cfg(test)]
mod sockets;
/// The rules that the sources of the project keep.
#[cfg(test)]
mod sources;
/// Many attaches to targets that are busy, that end, and from programs that are killed.
#[cfg(test)]
mod stress;
/// The harness notices what it is there to notice.
#[cfg(test)]
mod support_checks;
/// `suspects` and `retained`: what holds most, and what would be freed with it.
#[cfg(test)]
mod suspects;
/// `tasks`: what asyncio knows itself on all loops, its own tool's tree, Home Assistant's lines.
#[cfg(test)]
mod tasks;
/// `threads`: stacks as the target's own `traceback` and py-spy see them, deadlocks, and from outside.
#[cfg(test)]
mod threads;
/// The target is as before: threads, descriptors, signal masks, mappings, collector, output.
#[cfg(test)]
mod unharmed;
/// The wheel and the source distribution, installed and used as a new user would.
#[cfg(test)]
mod wheel;

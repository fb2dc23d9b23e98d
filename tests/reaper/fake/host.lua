-- What a test does with the stand-in: opens projects, starts scripts, lets time pass, acts as the user would, looks.

local Script = require("script")
local arrange = require("arrange")
local handles = require("handles")
local media = require("media_functions")
local meter = require("meter")
local midi = require("midi_functions")
local picture = require("picture")
local projects = require("project")
local socket = require("socket.core")
local system = require("system")
local tempo = require("tempo_functions")
local violations = require("violations")

local host = {}

local scripts = {}
local options = {}
local shared = {}
for _, functions in ipairs({ arrange.reaper, media.reaper, midi, tempo, system.reaper }) do
  for name, implementation in pairs(functions) do shared[name] = implementation end
end

--- @param settings `resource_path`, `luasocket`, `tick_limit_s`
function host.configure(settings)
  system.resource_path = settings.resource_path
  options.luasocket = settings.luasocket
  meter.limit_s = settings.tick_limit_s or meter.limit_s
end

-- projects

local function tab(number) return assert(projects.tabs[number], "there is no such tab") end

--- Open a project in front; see `project.open`. Returns its tab's number, from 1.
function host.open_project(description)
  projects.open(description)
  return #projects.tabs
end

function host.project(number) return picture.of(tab(number)) end

function host.show_tab(number) projects.front = tab(number) end

function host.close_tab(number) projects.close(tab(number)) end

--- The user undoes the newest step; returns whether there was one.
function host.undo(number) return projects.undo(tab(number)) end

local function track_of(number, track) return assert(tab(number).tracks[track], "there is no such track") end

local function item_of(number, track, item)
  return assert(track_of(number, track).items[item], "there is no such item")
end

--- The user changes an item's numbers (`values`), and its take's (`take_values`).
function host.change_item(number, track, item, values, take_values)
  local changed = item_of(number, track, item)
  for name, value in pairs(values) do changed.values[name] = value end
  local take = changed.takes[(math.tointeger(changed.values.I_CURTAKE) or 0) + 1]
  for name, value in pairs(take_values or {}) do take.values[name] = value end
  tab(number).changes = tab(number).changes + 1
end

function host.delete_item(number, track, item)
  projects.remove_item(item_of(number, track, item))
  tab(number).changes = tab(number).changes + 1
end

function host.delete_track(number, track)
  local gone = track_of(number, track)
  while gone.items[1] do projects.remove_item(gone.items[1]) end
  table.remove(tab(number).tracks, track)
  gone.dead = true
  tab(number).changes = tab(number).changes + 1
end

function host.set_cursor(number, time_s) tab(number).cursor_s = time_s end

--- Start the transport at a time of the project.
function host.play(number, position_s, rate)
  tab(number).transport = { position_s = position_s, rate = rate, since_s = meter.now_s() }
end

-- scripts

local function settle()
  if projects.open_block() then
    violations.note("an undo block was left open at the end of a tick")
    projects.end_block(projects.open_block(), "left open", -1)
  end
  local prevented = arrange.refresh_prevented()
  if prevented ~= 0 then
    violations.note("PreventUIRefresh was left at %d at the end of a tick", prevented)
    arrange.reaper.PreventUIRefresh(-prevented)
  end
  for _, project in ipairs(projects.tabs) do
    for _, track in ipairs(project.tracks) do
      for _, item in ipairs(track.items) do
        for _, take in ipairs(item.takes) do
          if take.unsorted then
            violations.note("MIDI_Sort was not called after the events were set")
            take.unsorted = nil
          end
        end
      end
    end
  end
end

local function finish(script)
  meter.begin()
  script:finish()
  meter.finish()
  settle()
  if media.accessors ~= 0 then
    violations.note("%d audio accessors were not destroyed", media.accessors)
    media.accessors = 0
  end
end

local function run(script, step)
  handles.tick = handles.tick + 1
  meter.begin()
  step(script)
  meter.finish()
  settle()
  if script:is_done() then finish(script) end
end

--- Run an action. Returns its script's number.
function host.start(path)
  local script = Script.new(path, shared, system, options)
  scripts[#scripts + 1] = script
  run(script, script.start)
  return #scripts
end

local function any_running()
  for _, script in ipairs(scripts) do
    if not script.ended then return true end
  end
  return false
end

--- Let up to so many ticks pass, a little apart; stop when no script is left. Returns whether one is.
function host.pass(ticks, apart_s)
  for _ = 1, ticks do
    if not any_running() then return false end
    for _, script in ipairs(scripts) do
      if not script.ended then run(script, script.step) end
    end
    socket.sleep(apart_s)
  end
  return any_running()
end

local function script_of(number) return assert(scripts[number], "there is no such script") end

--- How a script stands: `ended`, `problem`, and its `window`.
function host.script(number)
  local script = script_of(number)
  local window = script.window
  return {
    ended = script.ended,
    problem = script.problem,
    window = { open = window.is_open, title = window.title, frames = window.frames, draws = window.draws,
      texts = window.shown, width = window.variables.w, height = window.variables.h },
  }
end

--- The user ends a script from REAPER's list of running scripts.
function host.terminate(number)
  local script = script_of(number)
  if not script.ended then finish(script) end
end

--- REAPER is closed while scripts run; what was to last is kept.
function host.close_reaper()
  for _, script in ipairs(scripts) do
    if not script.ended then finish(script) end
  end
  while projects.tabs[1] do projects.close(projects.tabs[1]) end
  system.forget()
end

-- the user at a script's window and at dialogs

function host.close_window(number) script_of(number).window.is_open = false end

function host.click(number, x, y) script_of(number).window:click(x, y) end

function host.press(number, text) return script_of(number).window:press(text) end

function host.key(number, code) table.insert(script_of(number).window.keys, code) end

function host.wheel(number, distance) script_of(number).window.variables.mouse_wheel = distance end

function host.resize(number, width, height)
  local variables = script_of(number).window.variables
  variables.w, variables.h = width, height
end

--- Say beforehand what the user does with the next dialog of a kind.
function host.answer(kind, value) table.insert(system.answers, { kind = kind, value = value }) end

-- looking

--- What happened: violations, dialogs, console, processes, command lines, remembered settings, time used.
function host.report()
  return {
    violations = violations.list, dialogs = system.dialogs, console = table.concat(system.console),
    processes = system.processes, command_lines = system.command_lines, ext_state = picture.object(system.ext_state()),
    time = meter.report(), unanswered = #system.answers,
  }
end

function host.forget_times() meter.reset() end

--- Remember a setting, as an earlier run would have.
function host.remember(section, key, value) system.reaper.SetExtState(section, key, value, true) end

function host.set_command(name, number) system.commands[name] = number end

--- Run a chunk of Lua with the libraries of a folder, as a script of its own; returns what it returns.
function host.evaluate(chunk, path)
  local script = Script.new(path, shared, system, options)
  handles.tick = handles.tick + 1
  meter.begin()
  local well, result = xpcall(assert(load(chunk, "=test", "t", script.environment)), debug.traceback, path)
  meter.finish()
  settle()
  script:finish()
  if not well then error(result, 0) end
  return result
end

return host

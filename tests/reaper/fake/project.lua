-- Projects: what is in them, how they change, and how undo brings them back.

local Timeline = require("timeline")
local meter = require("meter")
local violations = require("violations")

local projects = { tabs = {}, front = nil }

local TICKS_PER_QUARTER = 960
local SHARED = { events = true, timeline = true } -- replaced when they change, never changed

local random = assert(io.open("/dev/urandom", "rb"))

--- A new GUID.
function projects.guid()
  local numbers = { string.unpack(">I4I2I2I2I2I4", random:read(16)) }
  return ("{%08X-%04X-%04X-%04X-%04X%08X}"):format(table.unpack(numbers, 1, 6))
end

local function midi_of(description)
  local events = {}
  for _, note in ipairs(description.notes or {}) do
    local flags = note.muted and 2 or 0
    local channel = note.channel or 0
    table.insert(events, { tick = note.tick, flags = flags,
      message = string.char(0x90 | channel, note.pitch, note.velocity or 80) })
    table.insert(events, { tick = note.last_tick, flags = flags, message = string.char(0x80 | channel, note.pitch, 0) })
  end
  for _, control in ipairs(description.controls or {}) do
    table.insert(events, { tick = control.tick, flags = 0,
      message = string.char(0xB0 | (control.channel or 0), control.number, control.value) })
  end
  table.sort(events, function(a, b)
    if a.tick ~= b.tick then return a.tick < b.tick end
    return a.message < b.message -- note-off before note-on
  end)
  return { events = events, last_tick = description.last_tick, ticks_per_quarter = projects.ticks_per_quarter }
end

local function new_source(description, pools)
  if description.pool and pools[description.pool] then
    return { type = "MIDI", midi = pools[description.pool], owned = true }
  end
  local source = { type = description.type, file = description.file, length_s = description.length_s,
    sample_rate = description.sample_rate, channels = description.channels, owned = true }
  if description.type == "SECTION" then
    source.parent = new_source(description.parent, pools)
    source.offset_s, source.length_s = description.offset_s, description.length_s
    source.reversed = description.reversed or false
  elseif description.type == "MIDI" then
    source.midi = midi_of(description)
    if description.pool then pools[description.pool] = source.midi end
  end
  return source
end

--- A take's description as a take. Numbers are REAPER's own names: `D_PLAYRATE`, ….
local function new_take(item, description, pools)
  local take = { guid = projects.guid(), item = item, name = description.name or "", values = {
    D_STARTOFFS = 0, D_PLAYRATE = 1, D_PITCH = 0, B_PPITCH = 1, D_VOL = 1, D_PAN = 0, I_CHANMODE = 0,
    I_CUSTOMCOLOR = 0 }, stretch_markers = description.stretch_markers or {}, fx = description.fx or 0,
    envelopes = description.envelopes or {} }
  for name, value in pairs(description.values or {}) do take.values[name] = value end
  if description.source then take.source = new_source(description.source, pools) end
  return take
end

--- An item of a track, empty.
function projects.new_item(track)
  local item = { guid = projects.guid(), track = track, takes = {}, notes = "", values = { D_POSITION = 0,
    D_LENGTH = 0, B_LOOPSRC = 1, B_MUTE = 0, B_UISEL = 0, C_LOCK = 0, C_BEATATTACHMODE = -1, D_SNAPOFFSET = 0,
    D_FADEINLEN = 0, D_FADEOUTLEN = 0, D_VOL = 1, I_CURTAKE = 0, I_CUSTOMCOLOR = 0, I_GROUPID = 0, I_FIXEDLANE = 0,
    F_FREEMODE_Y = 0, F_FREEMODE_H = 1 } }
  table.insert(track.items, item)
  return item
end

--- A take of an item, empty.
function projects.new_take(item)
  local take = new_take(item, {}, {})
  table.insert(item.takes, take)
  return take
end

--- A track of a project at a place (from 1).
function projects.new_track(project, place)
  local track = { guid = projects.guid(), project = project, name = "", items = {},
    values = { B_MUTE = 0, D_VOL = 1, I_FREEMODE = 0, I_FOLDERDEPTH = 0, I_SELECTED = 0, I_CUSTOMCOLOR = 0 } }
  table.insert(project.tracks, place, track)
  return track
end

local function add_item(track, description, pools)
  local item = projects.new_item(track)
  for name, value in pairs(description.values or {}) do item.values[name] = value end
  for _, take in ipairs(description.takes) do table.insert(item.takes, new_take(item, take, pools)) end
end

--- Open a project in a new tab, which comes to the front.
-- @param description `path` (nil: never saved), `media_folder`, `tempo`, `markers`, `grid`, `tracks`
function projects.open(description)
  projects.ticks_per_quarter = description.ticks_per_quarter or TICKS_PER_QUARTER
  local project = { path = description.path, media_folder = description.media_folder or "", tracks = {},
    grid = description.grid or { division = 0.25, swing_mode = 0, swing = 0 }, changes = 1, undo_points = {},
    cursor_s = 0.0, ticks_per_quarter = projects.ticks_per_quarter }
  local tempo = description.tempo or { bpm = 120, numerator = 4, denominator = 4 }
  project.timeline = Timeline.new(tempo, description.markers or {})
  local pools = {}
  for i, described in ipairs(description.tracks or {}) do
    local track = projects.new_track(project, i)
    track.name = described.name or ""
    for _, item in ipairs(described.items or {}) do add_item(track, item, pools) end
  end
  table.insert(projects.tabs, project)
  projects.front = project
  return project
end

-- Copies of contents, for undo.

local function copied(value, known)
  if type(value) ~= "table" then return value end
  if known[value] then return known[value] end
  local copy = {}
  known[value] = copy
  for key, each in pairs(value) do copy[key] = SHARED[key] and each or copied(each, known) end
  return copy
end

local function contents(project)
  local known = { [project] = project }
  return { tracks = copied(project.tracks, known), timeline = project.timeline, grid = copied(project.grid, known) }
end

local function bury(project)
  for _, track in ipairs(project.tracks) do
    track.dead = true
    for _, item in ipairs(track.items) do
      item.dead = true
      for _, take in ipairs(item.takes) do take.dead = true end
    end
  end
end

-- Undo blocks.

local block -- the one that is open
local GROUPS = { tracks = 1, items = 4, misc = 8 } -- bits of Undo_EndBlock2's flags

--- The project that an undo block is open for, or nil.
function projects.open_block() return block and block.project end

function projects.begin_block(project)
  if block then violations.raise("an undo block is open already") end
  block = { project = project, changed = {}, before = meter.excluding(contents, project) }
end

function projects.end_block(project, description, flags)
  if not block then violations.raise("no undo block is open") end
  if block.project ~= project then violations.raise("the undo block that is open is another project's") end
  if description == "" then violations.raise("an undo block without a description") end
  for group in pairs(block.changed) do
    if flags ~= -1 and flags & GROUPS[group] == 0 then
      violations.raise("the undo block changed %s, and its flags do not say so", group)
    end
  end
  if next(block.changed) then
    table.insert(project.undo_points, { description = description, before = block.before })
    project.changes = project.changes + 1
  end
  block = nil
end

--- A script is about to change a project.
-- @param group "tracks", "items" or "misc"
function projects.touch(project, group)
  if not block then violations.raise("the project was changed outside of an undo block") end
  if block.project ~= project then violations.raise("the undo block that is open is another project's") end
  block.changed[group] = true
  project.changes = project.changes + 1
end

--- The newest undo point's description, or nil.
function projects.can_undo(project)
  local point = project.undo_points[#project.undo_points]
  return point and point.description
end

--- Undo the newest point. Every object of the project is a new one afterwards.
function projects.undo(project)
  if block then violations.raise("undo inside an undo block") end
  local point = table.remove(project.undo_points)
  if not point then return false end
  bury(project)
  for name, value in pairs(point.before) do project[name] = value end
  project.changes = project.changes + 1
  return true
end

--- Close a project's tab.
function projects.close(project)
  bury(project)
  project.dead = true
  for i, each in ipairs(projects.tabs) do
    if each == project then table.remove(projects.tabs, i) end
  end
  if projects.front == project then projects.front = projects.tabs[1] end
end

--- The project that an object of it is in.
function projects.project_of(object)
  if object.tracks then return object end
  if object.project then return object.project end
  if object.track then return object.track.project end
  return object.item.track.project
end

--- Take an item out of its track.
function projects.remove_item(item)
  for i, each in ipairs(item.track.items) do
    if each == item then table.remove(item.track.items, i) end
  end
  item.dead = true
  for _, take in ipairs(item.takes) do take.dead = true end
end

return projects

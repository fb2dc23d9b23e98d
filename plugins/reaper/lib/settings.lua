-- What the user chose, remembered in REAPER's ExtState. Names and ranges are the protocol's own where it has them.

local settings = {}

local SECTION = "ScoreBridge"

--- Every setting, in the order of the window. `protocol`: it is sent with jobs, under this name.
-- `unset` says what an empty value means; such a setting is not sent.
settings.LIST = {
  { name = "engine", title = "Engine", kind = "engine", default = "", unset = "automatic", protocol = true },
  { name = "instrument", title = "Instrument", kind = "text", default = "", unset = "any", protocol = true },
  { name = "onset_threshold", title = "Onset threshold", kind = "number", default = 0.5, least = 0.01, most = 0.99,
    protocol = true },
  { name = "minimum_note", title = "Shortest note, ms", kind = "number", default = 58, least = 0, most = 10000,
    protocol = true },
  { name = "pedal", title = "Pedal", kind = "choice", default = "keys", protocol = true,
    choices = { { "keys", "controller 64" }, { "sounding", "note lengths" } } },
  { name = "pitch_bends", title = "Pitch bends", kind = "switch", default = false, protocol = true },
  { name = "quantise", title = "Quantise to", kind = "choice", default = "grid", protocol = true,
    choices = { { "none", "nothing" }, { "grid", "the project's grid" }, { "auto", "what fits" }, { "1/4" }, { "1/8" },
      { "1/16" }, { "1/32" }, { "1/4t" }, { "1/8t" }, { "1/16t" } } },
  { name = "quantise_strength", title = "Quantise strength", kind = "number", default = 0, least = 0, most = 1,
    protocol = true },
  { name = "split_point", title = "Split at pitch", kind = "integer", default = "", unset = "with the hands", least = 0,
    most = 127, protocol = true },
  { name = "split_tracks", title = "Split MIDI to two tracks", kind = "switch", default = false },
  { name = "keep_velocities", title = "Keep velocities", kind = "switch", default = true },
  { name = "destination", title = "Results go to", kind = "choice", default = "new_track",
    choices = { { "new_track", "a new track" }, { "same_track", "the same track" }, { "take", "a new take" } } },
  { name = "soundfont", title = "SoundFont", kind = "file", default = "", unset = "the installed one",
    protocol = true },
  { name = "files_folder", title = "Files are stored in", kind = "folder", default = "",
    unset = "the project's folder" },
  { name = "open_notation", title = "Open notation", kind = "switch", default = true },
  { name = "notation_program", title = "Open it with", kind = "file", default = "", unset = "the system's choice" },
  { name = "wait", title = "Wait for results", kind = "choice", default = "window",
    choices = { { "window", "with a progress window" }, { "osc", "without: OSC says when" } } },
  { name = "osc_port", title = "REAPER's OSC port", kind = "integer", default = 8000, least = 1, most = 65535 },
  { name = "live_source", title = "Live: listen to", kind = "text", default = "reastream" },
  { name = "transport", title = "Connection", kind = "choice", default = "auto",
    choices = { { "auto", "best" }, { "files", "files" }, { "sockets", "LuaSocket" } } },
  { name = "client", title = "ScoreBridge client", kind = "file", default = "", unset = "found by itself" },
}

settings.BY_NAME = {}
for _, setting in ipairs(settings.LIST) do settings.BY_NAME[setting.name] = setting end

local function choice_of(setting, text)
  for _, choice in ipairs(setting.choices) do
    if choice[1] == text then return text end
  end
end

local function number_of(setting, text)
  local value = tonumber((text:gsub(",", ".", 1)))
  if not value or value ~= value then return nil, setting.title .. " is a number." end
  if setting.kind == "integer" then
    value = math.tointeger(value)
    if not value then return nil, setting.title .. " is a whole number." end
  end
  if value < setting.least or value > setting.most then
    return nil, ("%s lies between %s and %s."):format(setting.title, setting.least, setting.most)
  end
  return value
end

--- A setting's value from its text; nil and a sentence where the text does not fit.
function settings.parse(name, text)
  local setting = settings.BY_NAME[name]
  if text == "" and setting.unset then return "" end
  if setting.kind == "number" or setting.kind == "integer" then return number_of(setting, text) end
  if setting.kind == "switch" then
    if text == "yes" or text == "no" then return text == "yes" end
    return nil, setting.title .. " is yes or no."
  end
  if setting.kind == "choice" then
    local choice = choice_of(setting, text)
    if choice then return choice end
    return nil, ("%s cannot be %q."):format(setting.title, text)
  end
  return text
end

--- A setting's value as text, the way it is kept.
function settings.text(name, value)
  if settings.BY_NAME[name].kind == "switch" then return value and "yes" or "no" end
  if math.type(value) == "float" then return (("%.10g"):format(value):gsub(",", ".")) end
  return tostring(value)
end

--- How a value is shown.
function settings.shown(name, value)
  local setting = settings.BY_NAME[name]
  if value == "" and setting.unset then return setting.unset end
  for _, choice in ipairs(setting.choices or {}) do
    if choice[1] == value then return choice[2] or choice[1] end
  end
  return settings.text(name, value)
end

--- The value that is remembered, or the default: also where what is remembered does not fit this version.
function settings.get(name)
  local setting = settings.BY_NAME[name]
  if not reaper.HasExtState(SECTION, name) then return setting.default end
  local value = settings.parse(name, reaper.GetExtState(SECTION, name))
  if value == nil then return setting.default end
  return value
end

--- Remember a value given as text. True, or nil and a sentence.
function settings.set(name, text)
  local value, problem = settings.parse(name, text)
  if value == nil then return nil, problem end
  reaper.SetExtState(SECTION, name, settings.text(name, value), true)
  return true
end

--- Forget everything that was chosen.
function settings.reset()
  for _, setting in ipairs(settings.LIST) do reaper.DeleteExtState(SECTION, setting.name, true) end
end

-- ---- what goes with a job -------------------------------------------------------------------------------------------

local GRIDS = { { 1 / 4, "1/4" }, { 1 / 6, "1/4t" }, { 1 / 8, "1/8" }, { 1 / 12, "1/8t" }, { 1 / 16, "1/16" },
  { 1 / 24, "1/16t" }, { 1 / 32, "1/32" } }

--- The protocol's name of a project's grid: of a finer or coarser one than it knows, the nearest.
-- @param division of a whole note, as `GetSetProjectGrid` has it
function settings.grid_name(division)
  local best, best_distance
  for _, grid in ipairs(GRIDS) do
    local distance = math.abs(math.log(grid[1] / division))
    if not best or distance < best_distance - 1e-9 then best, best_distance = grid[2], distance end
  end
  return best
end

local USED = {
  midi = { "engine", "instrument", "onset_threshold", "minimum_note", "pedal", "pitch_bends", "quantise",
    "quantise_strength" },
  notation = { "engine", "instrument", "onset_threshold", "minimum_note", "quantise", "split_point" },
  audio = { "instrument", "soundfont" },
  score = { "engine" },
}

--- The protocol's options for a purpose: "midi", "notation", "audio" or "score".
-- What was not set is left out: the daemon's default holds.
function settings.options(purpose, project)
  local options = {}
  for _, name in ipairs(USED[purpose]) do
    local value = settings.get(name)
    if value ~= "" then options[name] = value end
  end
  if purpose == "notation" and (options.quantise == "grid" or options.quantise == "none") then
    options.quantise = "auto" -- the project's grid helps with editing; a score needs finer values now and then
  elseif options.quantise == "grid" then
    local _, division = reaper.GetSetProjectGrid(project, false)
    options.quantise = division and division > 0 and settings.grid_name(division) or "auto"
  end
  return options
end

return settings

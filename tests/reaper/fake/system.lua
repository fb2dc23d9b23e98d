-- REAPER's functions for the program itself: background processes, remembered settings, files and dialogs.

local meter = require("meter")
local projects = require("project")
local violations = require("violations")

local system = { dialogs = {}, answers = {}, console = {}, processes = {}, command_lines = {}, commands = {} }

local popen, open_file = io.popen, io.open
local BUTTONS_OK = 0

local reaper = {}
system.reaper = reaper

local function shell_word(word) return "'" .. word:gsub("'", [['\'']]) .. "'" end

local function said_by(command)
  local pipe = assert(popen(command, "r"))
  local said = pipe:read("a")
  pipe:close()
  return said
end

-- background processes

--- The words of a command line, as REAPER splits it: at spaces, with " or ' around words that hold some.
function system.words(line)
  local words, word, quote = {}, nil, nil
  for character in line:gmatch(".") do
    if quote then
      if character == quote then quote = nil else word = word .. character end
    elseif character == '"' or character == "'" then
      quote, word = character, word or ""
    elseif character == " " then
      words[#words + 1], word = word, nil
    else
      word = (word or "") .. character
    end
  end
  if quote then return nil end
  words[#words + 1] = word
  return words
end

local function start(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = shell_word(word) end
  local line = table.concat(quoted, " ") .. " </dev/null >/dev/null 2>&1 & echo $!"
  return math.tointeger(tonumber(said_by(line)))
end

function reaper.ExecProcess(line, timeout_ms)
  if timeout_ms >= 0 then violations.raise("ExecProcess would wait for the process") end
  if line:find("[%c]") then violations.raise("ExecProcess: a control character in the command line") end
  table.insert(system.command_lines, line)
  local words = system.words(line)
  if not words or not words[1] then return nil end
  if words[1]:sub(1, 1) ~= "/" then
    violations.raise("ExecProcess: %s is not the full path of a program", words[1])
  end
  local program = open_file(words[1], "rb")
  if not program then return nil end
  program:close()
  table.insert(system.processes, meter.excluding(start, words))
  return "0\n"
end

-- ExtState

local remembered, persistent = {}, {}

local function key_of(section, key)
  if section == "" or key == "" or (section .. key):find("[%c=%[%]]") then
    violations.raise("ExtState: %s/%s cannot be written to an ini file", section, key)
  end
  return section .. "\n" .. key
end

function reaper.GetExtState(section, key) return remembered[key_of(section, key)] or "" end

function reaper.HasExtState(section, key) return remembered[key_of(section, key)] ~= nil end

function reaper.SetExtState(section, key, value, persist)
  if persist and (value:find("[%c]") or value ~= value:match("^%s*(.-)%s*$")) then
    violations.raise("SetExtState: an ini file does not keep line breaks or spaces at the ends of a value")
  end
  remembered[key_of(section, key)] = value
  if persist then persistent[key_of(section, key)] = value end
end

function reaper.DeleteExtState(section, key, persist)
  remembered[key_of(section, key)] = nil
  if persist then persistent[key_of(section, key)] = nil end
end

--- REAPER is closed and opened again: only what was to last is there.
function system.forget()
  remembered = {}
  for key, value in pairs(persistent) do remembered[key] = value end
end

--- What is remembered: section and key, with a slash between them, and value.
function system.ext_state()
  local all = {}
  for key, value in pairs(remembered) do all[key:gsub("\n", "/")] = value end
  return all
end

-- files and the program

function reaper.GetResourcePath() return system.resource_path end

function reaper.GetAppVersion() return "7.22/linux-x86_64" end

function reaper.GetOS() return "Other" end

function reaper.time_precise() return meter.now_s() end

function reaper.RecursiveCreateDirectory(path)
  if path == "" then return 0 end
  local said = meter.excluding(said_by, "mkdir -p -- " .. shell_word(path) .. " 2>/dev/null && echo made")
  return said == "made\n" and 1 or 0
end

function reaper.EnumerateFiles(path, index)
  if index < 0 then return nil end
  local names = meter.excluding(said_by,
    "find " .. shell_word(path) .. " -maxdepth 1 -type f -printf '%f\\0' 2>/dev/null | sort -z")
  local count = 0
  for name in names:gmatch("(%Z+)%z") do
    if count == index then return name end
    count = count + 1
  end
end

function reaper.NamedCommandLookup(name) return system.commands[name] or 0 end

function reaper.ReverseNamedCommandLookup(id)
  for name, number in pairs(system.commands) do
    if number == id then return (name:gsub("^_", "")) end
  end
end

--- Never the same one twice, in no run: what is named by it may outlive this process.
function reaper.genGuid()
  local source = assert(open_file("/dev/urandom", "rb"))
  local bytes = source:read(16)
  source:close()
  local digits = bytes:gsub(".", function(byte) return ("%02X"):format(byte:byte()) end)
  return (digits:gsub("^(........)(....)(....)(....)(............)$", "{%1-%2-%3-%4-%5}"))
end

function reaper.ShowConsoleMsg(text) table.insert(system.console, text) end

-- dialogs

--- What the user does with a dialog; a test has said it beforehand.
function system.answer(kind, title, text, default)
  if projects.open_block() then violations.raise("%s inside an undo block", kind) end
  table.insert(system.dialogs, { kind = kind, title = title, text = text })
  local answer = table.remove(system.answers, 1)
  if answer == nil then
    if default ~= nil then return default end
    violations.raise("nobody answers %s: %s", kind, text)
  end
  if answer.kind ~= kind then violations.raise("%s was asked where %s was expected: %s", kind, answer.kind, text) end
  return answer.value
end

function reaper.MB(text, title, buttons)
  local default = nil
  if buttons == BUTTONS_OK then default = 1 end
  return system.answer("MB", title, text, default)
end

local function fields_of(text, separator)
  local fields = {}
  for field in (text .. separator):gmatch("([^" .. separator .. "]*)" .. separator) do fields[#fields + 1] = field end
  return fields
end

function reaper.GetUserInputs(title, count, captions, values)
  if count < 1 or count > 16 then violations.raise("GetUserInputs: %d fields", count) end
  local named = {}
  for _, caption in ipairs(fields_of(captions, ",")) do
    if not caption:match("^extrawidth=") and not caption:match("^separator=") then named[#named + 1] = caption end
  end
  if #named ~= count then violations.raise("GetUserInputs: %d captions for %d fields", #named, count) end
  local answer = system.answer("GetUserInputs", title, captions)
  if not answer then return false, values end
  return true, answer
end

function reaper.GetUserFileNameForRead(path, title)
  local answer = system.answer("GetUserFileNameForRead", title, title)
  if not answer then return false, path end
  return true, answer
end

return system

-- Where things are: the client that the installer named, the daemon's connection file, our own folders.

local files = require("scorebridge.files")
local json = require("scorebridge.json")
local settings = require("scorebridge.settings")

local home = {}

local INSTALLED = "scorebridge.json" -- written beside the scripts by `scorebridge plugins install reaper`

local function object_in(path)
  local content = files.read(path)
  local well, value = pcall(json.decode, content or "")
  return well and type(value) == "table" and value or {}
end

--- The object that a JSON file holds; an empty one where it is missing or something else.
home.object_in = object_in

--- The words that start the command-line client, or nil, a sentence and a hint.
function home.client()
  local chosen = settings.get("client")
  if chosen ~= "" then
    if files.exists(chosen) then return { chosen } end
    return nil, "The ScoreBridge client is not at " .. chosen .. ".", "Mend it in ScoreBridge's settings."
  end
  local installed = object_in(package.loaded["scorebridge.folder"] .. INSTALLED)
  local client = json.field(installed, "client")
  if client and files.exists(client) then return { client } end
  if client then
    return nil, "The ScoreBridge client is not at " .. client .. " any more.",
      "Run in a terminal: scorebridge plugins install reaper"
  end
  if files.on_windows then
    return nil, "These scripts do not know where the ScoreBridge client is.",
      "Name scorebridge.exe in ScoreBridge's settings."
  end
  return { "scorebridge" } -- installed by ReaPack: the shell may know it
end

--- The folder of our own files, in REAPER's resource folder.
function home.folder() return files.join(reaper.GetResourcePath(), "ScoreBridge") end

--- The connection file's content; empty where no daemon has written one.
function home.connection()
  local runtime = os.getenv("SCOREBRIDGE_RUNTIME")
  if runtime and runtime ~= "" then return object_in(files.join(runtime, "connection.json")) end
  local user = os.getenv("HOME") or os.getenv("USERPROFILE") or ""
  return object_in(files.join(user, ".scorebridge", "connection.json"))
end

--- This process's number, where the system tells it; nil elsewhere.
function home.process()
  local status = files.read("/proc/self/stat")
  return status and math.tointeger(tonumber(status:match("^(%d+)")))
end

--- A fresh name for a job or a folder.
function home.new_id() return (reaper.genGuid(""):gsub("[{}]", ""):lower()) end

--- The project's file, empty where it was never saved.
function home.project_file(project)
  local i = 0
  while true do
    local found, path = reaper.EnumProjects(i)
    if not found then return "" end
    if found == project then return path end
    i = i + 1
  end
end

--- The folder for a project's results, made where it is missing; or nil and a sentence.
-- A project that was never saved has no folder: its results go to a lasting one of ours, never to a temporary one.
-- @param kind "media" or "notation"
function home.results_folder(project, kind)
  local folder = settings.get("files_folder")
  local file = home.project_file(project)
  if folder == "" and file ~= "" then
    folder = kind == "media" and reaper.GetProjectPathEx(project) or files.folder(file)
  end
  if folder == "" then folder = files.join(home.folder(), "Results") end
  local made, problem = files.make_folder(folder)
  if not made then return nil, ("The folder %s cannot be written: %s"):format(folder, problem) end
  return folder
end

return home

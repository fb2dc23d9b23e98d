-- Looks at every part between REAPER and the music, and says how to mend what does not work.

local Client = require("scorebridge.client")
local Sockets = require("scorebridge.sockets")
local home = require("scorebridge.home")
local files = require("scorebridge.files")
local json = require("scorebridge.json")
local running = require("scorebridge.running")
local settings = require("scorebridge.settings")

local doctor = {}

local SIGNS = { good = "ok    ", missing = "–     ", broken = "BROKEN" }
local PATIENCE_S = 90

local function say(verdict, part, sentence, mend)
  reaper.ShowConsoleMsg(("%s  %s: %s\n"):format(SIGNS[verdict], part, sentence))
  if mend and mend ~= "" then reaper.ShowConsoleMsg("        → " .. mend .. "\n") end
end

--- The OSC devices that REAPER's own settings name: {name, port}.
function doctor.osc_devices()
  local ini = files.read(files.join(reaper.GetResourcePath(), "reaper.ini")) or ""
  local devices = {}
  for name, port in ini:gmatch('csurf_%d+=OSC "([^"]*)" %d+ (%d+) ') do
    devices[#devices + 1] = { name = name, port = math.tointeger(tonumber(port)) }
  end
  return devices
end

local function look_at_osc()
  local wanted = settings.get("osc_port")
  for _, device in ipairs(doctor.osc_devices()) do
    if device.port == wanted then
      local notify, problem = running.notification()
      if notify then return say("good", "OSC", ("the device %q listens on port %d"):format(device.name, wanted)) end
      return say("missing", "OSC", "REAPER listens, but does not know what to run", (problem:gsub("\n+", " ")))
    end
  end
  say(settings.get("wait") == "osc" and "broken" or "missing", "OSC",
    ("no device of REAPER listens on port %d"):format(wanted),
    ("Preferences → Control/OSC/web → Add → OSC, local listen port %d; only needed to wait without a window.")
      :format(wanted))
end

local function look_here()
  say("good", "REAPER", reaper.GetAppVersion() .. ", " .. _VERSION)
  local words, problem, hint = home.client()
  if words then say("good", "Client", words[1]) else say("broken", "Client", problem, hint) end
  local folder = home.folder()
  local made, why = files.make_folder(folder)
  if made then say("good", "Folder", folder) else say("broken", "Folder", folder .. ": " .. why) end
  if Sockets.module() then
    say("good", "LuaSocket", "is there")
  else
    say("missing", "LuaSocket", "is not installed: jobs go through files, which works as well, a little slower",
      "ReaPack: Mavriq's repository, “Lua Sockets”.")
  end
  look_at_osc()
end

--- Tell what the daemon and its client answer; returns what goes on telling, for `running.loop`.
local function look_there()
  local client = Client.new(nil)
  local hello, checks = Client.new_id(), Client.new_id()
  client:request(hello, { kind = "hello" })
  client:request(checks, { kind = "doctor" })
  local until_s = reaper.time_precise() + PATIENCE_S

  local function told(id, tell)
    local state = client:state(id)
    if not state then return true end
    if state.phase == "failed" then say("broken", "Daemon", state.message, state.hint) end
    if state.phase == "done" then tell(state) end
    if state.phase ~= "failed" and state.phase ~= "done" then return false end
    client:forget(id)
    return true
  end

  local greeted, checked = false, false
  return function()
    client:step()
    greeted = greeted or told(hello, function(state)
      say("good", "Daemon", json.field(state.welcome, "server") .. " answers")
    end)
    checked = checked or told(checks, function(state)
      for _, finding in ipairs(state.findings) do say(finding.verdict, finding.part, finding.sentence, finding.mend) end
    end)
    if greeted and checked then
      reaper.ShowConsoleMsg("That is all.\n")
      return false
    end
    if reaper.time_precise() < until_s then return true end
    say("broken", "Client", "it did not answer in " .. PATIENCE_S .. " s", client.mailbox:last_words())
    return false
  end
end

--- Look at everything, and write what was found to REAPER's console.
function doctor.run()
  reaper.ShowConsoleMsg("ScoreBridge looks at itself …\n")
  look_here()
  running.loop(look_there())
end

return doctor

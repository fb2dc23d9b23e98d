-- Jobs and how they stand, whichever way leads to the daemon: its HTTP door where LuaSocket is there and a daemon runs,
-- else files. What the door cannot do goes through files too: they start the daemon, and send what it may not read.

local Mailbox = require("scorebridge.mailbox")
local Sockets = require("scorebridge.sockets")
local home = require("scorebridge.home")
local settings = require("scorebridge.settings")

local Client = {}
Client.__index = Client

--- A client; raises a sentence where neither way can be opened.
-- @param notify where to send word of a job's end, or nil; files alone know how to
function Client.new(notify)
  local mailbox, problem = Mailbox.open(notify)
  if not mailbox then error(problem, 0) end
  local transport = settings.get("transport")
  local sockets = transport ~= "files" and not notify and Sockets.open() or nil
  return setmetatable({ mailbox = mailbox, sockets = sockets, ways = {}, requests = {} }, Client)
end

--- A fresh id for a job.
Client.new_id = home.new_id

--- A path for a file that goes with a job, in a folder of our own; `forget` removes it.
function Client:source_path(id, ending)
  local path = self.mailbox:source_path(id, ending)
  self.requests[id] = self.requests[id] or {}
  self.requests[id].source_path = path
  return path
end

--- Hand in a request: {kind = "submit", source, target, options}, {kind = "message", type, content} of the protocol,
-- {kind = "hello"} or {kind = "doctor"}.
function Client:request(id, request)
  self.requests[id] = self.requests[id] or {}
  self.requests[id].request = request
  self.ways[id] = request.kind ~= "doctor" and self.sockets or self.mailbox
  self.ways[id]:request(id, request)
end

--- Go on with a job that an earlier script handed in through files.
function Client:resume(id, source_path)
  self.requests[id] = { source_path = source_path }
  self.ways[id] = self.mailbox
  self.mailbox:resume(id)
end

--- How a request stands: {phase, stage, current, total, artefacts, engine, warnings, code, message, hint, …}.
-- Nil once it is forgotten.
function Client:state(id)
  local way = self.ways[id]
  return way and way:state(id)
end

--- Ask that a request ends; its state says when it has.
function Client:cancel(id)
  if self.ways[id] then self.ways[id]:cancel(id) end
end

--- Forget a request that has ended, and remove the files that went with it.
function Client:forget(id)
  if self.ways[id] then self.ways[id]:forget(id) end
  local entry = self.requests[id]
  if entry and entry.source_path then os.remove(entry.source_path) end
  self.ways[id], self.requests[id] = nil, nil
end

local function can_go_through_files(state)
  return state.phase == "failed" and (state.unreachable or state.code == "not_allowed" or state.code == "unauthorised")
end

function Client:hand_over(id)
  self.ways[id]:forget(id)
  self.ways[id] = self.mailbox
  self.mailbox:request(id, self.requests[id].request)
end

--- Look after everything; call it once a tick.
function Client:step()
  self.mailbox:step()
  local sockets = self.sockets
  if not sockets then return end
  sockets:step()
  local unreachable = false
  for id, way in pairs(self.ways) do
    local state = way == sockets and way:state(id)
    if state and can_go_through_files(state) then
      unreachable = unreachable or state.unreachable
      self:hand_over(id)
    end
  end
  if not unreachable then return end
  for id, way in pairs(self.ways) do -- the daemon may be another one now; a job's id can be sent again
    if way == sockets then self:hand_over(id) end
  end
  self.sockets = Sockets.open()
end

return Client

-- Handles: real userdata that say nothing and can be neither looked into nor written to. Those of tracks, items, takes,
-- sources and envelopes are good for one tick only; those of projects until their tab is closed.

local violations = require("violations")

local handles = { tick = 0 }

local CTYPES = { project = "ReaProject*", track = "MediaTrack*", item = "MediaItem*", take = "MediaItem_Take*",
  source = "PCM_source*", envelope = "TrackEnvelope*" }
local LASTING = { project = true, accessor = true, array = true }

local entries = setmetatable({}, { __mode = "k" }) -- handle → {kind, object, tick}
local given = setmetatable({}, { __mode = "k" }) -- object → its handle

local open_file, set_metatable = io.open, debug.setmetatable

--- A userdata with this metatable: a file that is closed, and is not one any more.
function handles.userdata(metatable)
  local made = assert(open_file("/dev/null"))
  made:close()
  return set_metatable(made, metatable)
end

local function alive(entry)
  if entry.object.dead then return false end
  return LASTING[entry.kind] or entry.tick == handles.tick
end

--- The handle of an object; the same all through a tick.
function handles.of(kind, object)
  if object == nil then return nil end
  local handle = given[object]
  if handle and alive(entries[handle]) then return handle end
  handle = handles.userdata({ __name = CTYPES[kind] or kind, __metatable = false })
  entries[handle] = { kind = kind, object = object, tick = handles.tick }
  given[object] = handle
  return handle
end

--- Make a userdata that is one already the handle of an object.
function handles.adopt(handle, kind, object)
  entries[handle] = { kind = kind, object = object, tick = handles.tick }
  given[object] = handle
end

--- The object of a handle of this kind. It is a violation where the handle is stale or another's.
function handles.object(handle, kind, where)
  local entry = entries[handle]
  if not entry then violations.raise("%s: a %s was expected, not %s", where, kind, tostring(handle)) end
  if entry.kind ~= kind then violations.raise("%s: a %s was expected, not a %s", where, kind, entry.kind) end
  if entry.object.dead then violations.raise("%s: the %s of this handle is gone", where, kind) end
  if not alive(entry) then violations.raise("%s: the handle of this %s is from an earlier tick", where, kind) end
  return entry.object
end

--- Whether something is a handle, of whatever age.
function handles.is_handle(value) return entries[value] ~= nil end

--- The object of a handle that is good and of REAPER's type `ctype`, or nil.
function handles.valid(handle, ctype)
  local entry = entries[handle]
  if entry and alive(entry) and CTYPES[entry.kind] == ctype then return entry.object end
end

--- Whether REAPER has such a type for ValidatePtr2.
function handles.is_ctype(ctype)
  for _, known in pairs(CTYPES) do
    if known == ctype then return true end
  end
  return false
end

return handles

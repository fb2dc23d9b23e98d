-- Makes `require("scorebridge.NAME")` find the libraries beside this file, whatever characters the path holds:
-- package.path cannot hold a ";" or "?".
--
--   local folder = select(2, reaper.get_action_context()):match("^(.*[/\\])")
--   local run = dofile(folder .. "lib/start.lua")(folder)

local PREFIX = "scorebridge."
local WHERE = "scorebridge.folder"

local function searcher(name)
  if name:sub(1, #PREFIX) ~= PREFIX then return nil end
  local file = package.loaded[WHERE] .. "lib/" .. name:sub(#PREFIX + 1) .. ".lua"
  local chunk, problem = loadfile(file)
  if chunk then return chunk, file end
  return "\n\t" .. tostring(problem)
end

--- Prepare this script's Lua state.
-- @param folder folder of the action scripts, ending with a separator
-- @return a function that runs an action's body and shows what went wrong in a sentence
return function(folder)
  if not package.loaded[WHERE] then
    package.loaded[WHERE] = folder
    table.insert(package.searchers, 2, searcher)
  end
  return require("scorebridge.running").action
end

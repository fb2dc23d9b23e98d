-- One undo point for each insertion. A block never spans ticks, and what failed halfway is taken back.

local undo = {}

local EVERYTHING = -1

local ours = setmetatable({}, { __mode = "k" }) -- project → how far our own blocks moved its change count

--- How often others have changed a project: its state change count without what our own blocks did.
function undo.changes_of_others(project) return reaper.GetProjectStateChangeCount(project) - (ours[project] or 0) end

--- Change the project in one undo step. What `body` raises is raised again once everything is as it was.
function undo.block(project, description, body)
  local others = undo.changes_of_others(project)
  reaper.PreventUIRefresh(1)
  reaper.Undo_BeginBlock2(project)
  local well, result = pcall(body)
  reaper.Undo_EndBlock2(project, description, EVERYTHING)
  if not well and reaper.Undo_CanUndo2(project) == description then reaper.Undo_DoUndo2(project) end
  reaper.PreventUIRefresh(-1)
  reaper.UpdateArrange()
  ours[project] = reaper.GetProjectStateChangeCount(project) - others
  if not well then error(result, 0) end
  return result
end

return undo

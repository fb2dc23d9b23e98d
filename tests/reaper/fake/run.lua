-- The stand-in as a process. A line of standard input is a call, `return host.NAME(…)`; a line of standard output
-- is its answer as JSON: {"value": …} or {"error": "…"}.
--
--   lua5.4 run.lua FOLDER_OF_THIS_FILE

package.path = arg[1] .. "/?.lua;" .. package.path

local host = require("host")
local meter = require("meter")
local picture = require("picture")

meter.watch()
for line in io.lines() do
  local called, result = pcall(assert(load(line, "=call", "t", { host = host })))
  if called then
    io.write(picture.json(picture.object({ value = result })), "\n")
  else
    io.write(picture.json({ error = tostring(result) }), "\n")
  end
  io.flush()
  if not line:find("^return host%.pass") then collectgarbage() end -- pictures are the test's rubbish, not the script's
end

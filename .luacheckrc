-- The only functions of REAPER that exist are those of the tests' contract with it.
local contract = dofile("tests/reaper/fake/contract.lua")

local function fields(...)
  local known = {}
  for _, names in ipairs({ ... }) do
    for name in pairs(names) do known[name] = { read_only = true } end
  end
  return known
end

std = "lua54"
max_line_length = 120

local gfx = fields(contract.gfx)
for name, writable in pairs(contract.gfx_variables) do gfx[name] = { read_only = not writable } end

files["plugins/reaper"] = {
  std = "lua53", -- the older of the two that the scripts run in
  read_globals = {
    reaper = { fields = fields(contract.reaper), other_fields = false },
    gfx = { fields = gfx, other_fields = false },
  },
}

-- For wrk: sends each request of a file once, whole as it is. In the file each stands after a line with its length.

local requests, last = {}, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local length = file:read("*n", "*l")
  while length do
    requests[#requests + 1] = file:read(length)
    length = file:read("*n", "*l")
  end
  file:close()
end

function request()
  last = last % #requests + 1
  return requests[last]
end

-- Report as one line of JSON; with the argument "balancer", send what a balancer sends: a head that is never the same twice.
local sent = 0

function init(arguments)
  if arguments[1] == "balancer" then
    request = function()
      sent = sent + 1
      return string.format(
        "GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.%d\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n" ..
        "Host: time.example.com\r\nX-Amzn-Trace-Id: Root=1-67891233-abcdef%018d\r\n" ..
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" ..
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" ..
        "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n" ..
        "traceparent: 00-0af7651916cd43dd8448%012d-b7ad6b7169203331-01\r\n\r\n", sent % 250, sent, sent)
    end
  end
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p99":%d,"p999":%d}\n', summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end

-- Reads a JSON list of Markdown texts, writes the JSON list of the same texts as HTML with MathML.
-- One process for a whole notebook: pandoc takes longer to start than to convert.

-- Heading anchors as JupyterLab makes them, so that a link works in both places.
local function anchor_as_in_jupyter(heading)
  heading.identifier = pandoc.utils.stringify(heading.content):gsub(" ", "-")
  return heading
end

local texts = pandoc.json.decode(io.read("a"))
for number, text in ipairs(texts) do
  -- Without a line's end, pandoc does not see a table's last row.
  local document = pandoc.read(text .. "\n", "gfm+footnotes"):walk({ Header = anchor_as_in_jupyter })
  local html = pandoc.write(document, "html", { html_math_method = "mathml", highlight_method = "none", wrap_text = "none" })
  -- Notes are numbered anew in each text, and all texts end up in one page: keep their anchors apart.
  texts[number] = html:gsub('(["#])(fn%a*%d+")', "%1text" .. number .. "-%2")
end
io.write(pandoc.json.encode(texts))

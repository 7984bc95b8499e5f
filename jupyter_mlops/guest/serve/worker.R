# The part of a worker that is R: loads a function and its model, and answers data frames.
#
# Base R only. Started by r.py, which speaks HTTP's formats and says here what it has read:
# `Rscript worker.R IN OUT FOLDER FILE FUNCTION`; IN and OUT are descriptors of pipes. Frames come
# as columns, answers go as values that say their type; see values.py, which is the other side.

arguments <- commandArgs(trailingOnly = TRUE)
input <- file(paste0("/dev/fd/", arguments[1]), open = "rb", raw = TRUE)
output <- file(paste0("/dev/fd/", arguments[2]), open = "wb", raw = TRUE)

integers <- function(con, n) readBin(con, "integer", n, endian = "little")

texts <- function(con, n) {
  missing <- integers(con, n) != 0L
  found <- readBin(con, "character", n)
  Encoding(found) <- "UTF-8"
  found[missing] <- NA_character_
  found
}

column <- function(con, n) {
  switch(integers(con, 1L),
    as.logical(integers(con, n)),
    integers(con, n),
    readBin(con, "double", n, endian = "little"),
    texts(con, n)
  )
}

# The next data frame; NULL when nobody asks any more. The attribute says whether the caller named
# the columns.
frame <- function(con) {
  size <- integers(con, 3L)
  if (length(size) < 3L) return(NULL)
  names <- texts(con, size[1])
  columns <- lapply(seq_len(size[1]), function(i) column(con, size[2]))
  rows <- .set_row_names(size[2])
  labels <- match("_row", names)
  if (!is.na(labels)) {
    # So jsonlite writes the names of rows.
    rows <- make.unique(as.character(columns[[labels]]))
    columns <- columns[-labels]
    names <- names[-labels]
  }
  structure(columns, names = names, row.names = rows, class = "data.frame", named = size[3] != 0L)
}

put <- function(con, ...) writeBin(as.integer(c(...)), con, endian = "little")

put_texts <- function(con, value) {
  value <- enc2utf8(as.character(value))
  put(con, is.na(value))
  value[is.na(value)] <- ""
  if (length(value)) writeBin(value, con)
}

put_value <- function(con, value) {
  if (is.null(value)) {
    put(con, 0L)
  } else if (is.data.frame(value)) {
    put(con, 6L, length(value), nrow(value))
    put_texts(con, names(value))
    for (one in value) put_value(con, one)
  } else if (is.matrix(value)) {
    named <- !is.null(colnames(value))
    put(con, 7L, ncol(value), nrow(value), named)
    if (named) put_texts(con, colnames(value))
    put_value(con, as.vector(value))
  } else if (is.factor(value) || inherits(value, c("Date", "POSIXt", "difftime"))) {
    put_value(con, if (inherits(value, "difftime")) as.numeric(value) else as.character(value))
  } else if (is.logical(value)) {
    put(con, 1L, length(value), value)
  } else if (is.integer(value)) {
    put(con, 2L, length(value), value)
  } else if (is.double(value)) {
    put(con, 3L, length(value))
    writeBin(as.vector(value), con, endian = "little")
  } else if (is.character(value)) {
    put(con, 4L, length(value))
    put_texts(con, value)
  } else if (is.list(value)) {
    named <- !is.null(names(value))
    put(con, 5L, length(value), named)
    if (named) put_texts(con, names(value))
    for (one in value) put_value(con, one)
  } else {
    stop("an answer of the class ", class(value)[1], " cannot be sent: ",
         "return a vector, a data frame or a list", call. = FALSE)
  }
}

# Whole, or not at all: what fails in its middle must not be half sent.
say <- function(status, value) {
  con <- rawConnection(raw(0), open = "wb")
  on.exit(close(con))
  put_value(con, value)
  content <- rawConnectionValue(con)
  put(output, status, length(content))
  writeBin(content, output)
  flush(output)
  flush(stdout())
}

described <- function(error) {
  call <- conditionCall(error)
  where <- if (is.null(call)) "" else paste0(" (in ", paste(deparse(call)[1]), ")")
  paste0(conditionMessage(error), where)
}

load_model <- function(folder) {
  if (exists("model_fn", globalenv(), mode = "function", inherits = FALSE)) {
    return(eval(quote(model_fn(folder)), list(folder = folder), globalenv()))
  }
  files <- list.files(folder, pattern = "\\.rds$", ignore.case = TRUE)
  if (length(files) != 1L) {
    stop("which file is the model? Looked for exactly one .rds in the package; there is ",
         if (length(files)) paste(files, collapse = ", ") else "none",
         ". Write a model_fn(folder) that loads it", call. = FALSE)
  }
  readRDS(file.path(folder, files))
}

# Names of columns that came without any: those of the model's formula, where they are as many.
with_names <- function(data, model) {
  if (attr(data, "named")) return(data)
  wanted <- tryCatch(all.vars(delete.response(terms(model))), error = function(error) NULL)
  if (length(wanted) == length(data)) names(data) <- wanted
  data
}

loaded <- tryCatch({
  sys.source(file.path(arguments[3], "code", arguments[4]), globalenv(), chdir = TRUE)
  called <- if (nzchar(arguments[5])) arguments[5] else "predict_fn"
  if (!exists(called, globalenv(), mode = "function", inherits = FALSE)) {
    if (nzchar(arguments[5])) {
      stop("there is no function ", called, " in ", arguments[4], call. = FALSE)
    }
    asked <- quote(predict(model, data))
    alone <- FALSE
  } else {
    alone <- length(formals(get(called, globalenv()))) == 1L
    asked <- as.call(c(as.name(called), quote(data), if (!alone) quote(model)))
  }
  model <- if (alone) NULL else load_model(arguments[3])
  TRUE
}, error = function(error) {
  say(1L, described(error))
  FALSE
})
if (loaded) say(0L, NULL)

while (loaded && !is.null(data <- frame(input))) {
  tryCatch({
    data <- with_names(data, model)
    attr(data, "named") <- NULL
    say(0L, eval(asked, list(data = data, model = model), globalenv()))
  }, error = function(error) say(1L, described(error)))
}

# Runs in a live kernel of R, sent to it as text: which of its variables are models, and saving one.
#
# Base R, and jsonlite, which IRkernel brings. The kernel's side of what main.py is for Python, with
# the same answers. Nothing is left behind in the notebook: all this is evaluated in a place of its
# own, whose `question` is JSON.

ROWS <- 5L
ARGUMENTS <- c("newdata", "data", "new_data")
DEFAULT <- c("base", "methods", "datasets", "utils", "grDevices", "graphics", "stats", "Autoloads",
             "IRkernel", "IRdisplay", "repr", "evaluate", "jsonlite")
HIDDEN <- c("q", "quit") # IRkernel's own.

refuse <- function(...) stop(paste0(...), call. = FALSE)
one_line <- function(text) substr(gsub("[[:space:]]+", " ", text), 1L, 300L)
json <- function(value, ...) jsonlite::toJSON(value, auto_unbox = TRUE, null = "null", ...)
here <- function(name) exists(name, globalenv(), inherits = FALSE)

# ------------------------------------------------------------------------------ what there is

# The method that predicts with a value, where it takes rows; NULL where there is none.
predicting <- function(value) {
  for (kind in class(value)) {
    method <- utils::getS3method("predict", kind, optional = TRUE, envir = globalenv())
    if (!is.null(method)) return(if (any(names(formals(method)) %in% ARGUMENTS)) method)
  }
  NULL
}

# Of the notebook, and called with one argument; others have defaults.
callable <- function(value) {
  if (!is.function(value) || !identical(environment(value), globalenv())) return(FALSE)
  needed <- vapply(formals(value), function(one) identical(one, quote(expr = )), NA)
  length(needed) > 0L && needed[1] && !any(needed[-1])
}

kind_of <- function(value) {
  if (is.function(value)) return(if (callable(value)) "function" else "")
  if (!is.data.frame(value) && !is.null(predicting(value))) "fitted" else ""
}

# Names of the columns that a model's formula speaks of; none where it has no formula.
features <- function(value) {
  if (is.function(value)) return(character())
  tryCatch(all.vars(stats::delete.response(stats::terms(value))), error = function(e) character())
}

described <- function(value) {
  if (is.function(value)) return(paste0("function(", toString(names(formals(value))), ")"))
  if (is.data.frame(value)) return(paste0(class(value)[1], ", ", nrow(value), " by ", ncol(value)))
  formula <- tryCatch(paste(deparse(stats::formula(value)), collapse = ""), error = function(e) "")
  one_line(paste0(class(value)[1], if (nzchar(formula)) ": ", formula))
}

fits <- function(model, sample) {
  if (is.function(model)) return("the function takes a data frame")
  wanted <- features(model)
  if (length(wanted) == 0L) return("the model takes any rows")
  if (all(wanted %in% names(sample))) "it has the columns of the fit" else ""
}

survey <- function() {
  names <- setdiff(ls(globalenv()), HIDDEN)
  names <- names[!vapply(names, bindingIsActive, NA, globalenv())]
  values <- mget(names, globalenv())
  kinds <- vapply(values, kind_of, "")
  models <- values[nzchar(kinds)]
  found <- lapply(names(models), function(name) {
    list(name = name, kind = kinds[[name]], description = described(models[[name]]),
         features = I(features(models[[name]])))
  })
  tables <- Filter(function(value) is.data.frame(value) && nrow(value) > 0L, values)
  samples <- lapply(names(tables), function(name) {
    why <- lapply(models, fits, tables[[name]])
    list(name = name, description = described(tables[[name]]), fits = why[why != ""])
  })
  list(models = found, samples = Filter(function(one) length(one$fits) > 0L, samples))
}

# --------------------------------------------------------------------------------- writing one

export <- function(model, sample, folder, stem) {
  for (name in c(model, sample)) {
    if (!here(name)) refuse("The notebook has no variable ", name, " any more.")
  }
  value <- get(model, globalenv())
  rows <- get(sample, globalenv())
  if (!nzchar(kind_of(value))) {
    refuse(model, " is no model with a predict method for rows, and no function of one argument.")
  }
  if (!is.data.frame(rows)) refuse(sample, " is no data frame.")
  rows <- as.data.frame(utils::head(rows, ROWS))
  rownames(rows) <- NULL
  wanted <- features(value)
  if (length(wanted) > 0L && all(wanted %in% names(rows))) rows <- rows[wanted]
  prediction <- tryCatch(predicted(value, rows), error = function(error) {
    refuse(model, " does not take ", sample, ": ", one_line(conditionMessage(error)))
  })
  expected <- tryCatch(answer_json(prediction), error = function(error) {
    refuse("What ", model, " answers cannot be sent: ", one_line(conditionMessage(error)))
  })
  body <- jsonlite::toJSON(rows, dataframe = "rows", na = "null", digits = NA, rownames = FALSE)
  check_round_trip(value, rows, expected, jsonlite::fromJSON(body))
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  file <- paste0(stem, ".rds")
  source <- if (is.function(value)) {
    function_handler(model, value, folder, file)
  } else {
    saveRDS(value, file.path(folder, file))
    c("# Answers with the model that was exported from a notebook.", "",
      attaching(list(value)), "predict_fn <- function(data, model) {", "  predict(model, data)", "}")
  }
  schema <- list(input = shape(rows), output = shape(prediction))
  put(folder, "predict.R", source)
  put(folder, "sample.json", body)
  put(folder, "expected.json", expected)
  put(folder, "schema.json", json(schema, pretty = TRUE))
  samples <- "sample.json"
  table <- paste(utils::capture.output(utils::write.csv(rows, row.names = FALSE, na = "")),
                 collapse = "\n")
  if (!nzchar(unsent(value, expected, utils::read.csv(text = table, check.names = FALSE)))) {
    put(folder, "sample.csv", table)
    samples <- c(samples, "sample.csv")
  }
  list(model = I(file), handler = "predict.R", `function` = "", sample = "sample.json",
       expected = "expected.json", samples = I(samples), format = "R's own (.rds)",
       trusted_only = TRUE, schema = schema)
}

# As the handler that is written will do it.
predicted <- function(value, rows) {
  if (is.function(value)) value(rows) else stats::predict(value, rows)
}

# Why an answer to rows as they arrive is not the notebook's own; empty when it is.
unsent <- function(value, expected, arrived) {
  tryCatch({
    again <- answer_json(predicted(value, arrived))
    same <- all.equal(jsonlite::fromJSON(expected), jsonlite::fromJSON(again), tolerance = 1e-6)
    if (isTRUE(same)) "" else "it predicts something else"
  }, error = function(error) one_line(conditionMessage(error)))
}

check_round_trip <- function(value, rows, expected, arrived) {
  reason <- unsent(value, expected, arrived)
  if (!nzchar(reason)) return(invisible())
  before <- vapply(rows, function(one) class(one)[1], "")
  after <- vapply(names(rows), function(name) class(arrived[[name]])[1], "")
  changed <- paste0(names(rows), " (", before, " becomes ", after, ")")[before != after]
  refuse("The model does not take this sample as it comes in a request: ", reason,
         if (length(changed)) paste0("; in JSON these columns change: ", toString(changed)),
         ". Let a function of the notebook prepare it, and export that function.")
}

# JSON of an answer, by the rules of the worker that will send it (worker.R, values.py).
answer_json <- function(value) {
  jsonlite::toJSON(plain(value, TRUE), na = "null", null = "null", digits = NA, rownames = FALSE,
                   dataframe = "rows", matrix = "rowmajor")
}

plain <- function(value, top = FALSE) {
  if (is.null(value)) return(NULL)
  if (is.data.frame(value)) {
    value[] <- lapply(value, function(one) plain(one, TRUE))
    return(value)
  }
  if (is.matrix(value)) {
    return(if (is.null(colnames(value))) unname(value) else as.data.frame(value))
  }
  if (is.factor(value) || inherits(value, c("Date", "POSIXt"))) value <- as.character(value)
  if (inherits(value, "difftime")) value <- as.numeric(value)
  if (is.list(value)) return(lapply(unclass(value), plain))
  if (!is.atomic(value)) stop("it is a ", class(value)[1], ": return a vector, a data frame or a list")
  value <- as.vector(unname(value))
  if (top || length(value) != 1L) value else jsonlite::unbox(value)
}

# ------------------------------------------------------------------------------------- handlers

# Source of a function, with what it uses of the notebook: functions as source, the rest as values.
function_handler <- function(name, value, folder, file) {
  functions <- list()
  values <- list()
  todo <- name
  while (length(todo) > 0L) {
    one <- todo[1]
    todo <- todo[-1]
    found <- get(one, globalenv())
    if (is.function(found) && identical(environment(found), globalenv())) {
      functions[[one]] <- found
      used <- Filter(here, setdiff(used_names(found), HIDDEN))
      todo <- c(todo, setdiff(used, c(names(functions), names(values), todo)))
    } else {
      values[[one]] <- found
    }
  }
  if (length(values) == 0L) {
    refuse(name, " uses no model of the notebook. Export a function that does.")
  }
  saveRDS(values, file.path(folder, file))
  sources <- lapply(names(functions), function(one) {
    text <- deparse(functions[[one]], control = c("keepNA", "keepInteger", "niceNames"))
    c("", paste0("`", one, "` <- ", text[1]), text[-1])
  })
  c("# A function that was exported from a notebook, and what it uses.", "", attaching(values),
    paste0("list2env(readRDS(file.path(\"..\", \"", file, "\")), globalenv())"),
    unlist(sources), "", "predict_fn <- function(data) {", paste0("  `", name, "`(data)"), "}")
}

used_names <- function(value) {
  if (requireNamespace("codetools", quietly = TRUE)) return(codetools::findGlobals(value))
  setdiff(unique(c(all.names(body(value)), unlist(lapply(formals(value), all.names)))),
          names(formals(value)))
}

# Lines that bring the packages which the notebook has attached, and those that predict.
attaching <- function(values) {
  attached <- rev(setdiff(.packages(), DEFAULT))
  methods <- Filter(Negate(is.null), lapply(values, predicting))
  homes <- vapply(methods, function(one) environmentName(topenv(environment(one))), "")
  loaded <- setdiff(unique(homes), c(attached, DEFAULT, "R_GlobalEnv", ""))
  lines <- c(if (length(attached)) paste0("library(", attached, ")"),
             if (length(loaded)) paste0("invisible(loadNamespace(\"", loaded, "\"))"))
  if (length(lines)) c(lines, "") else lines
}

# The schema of rows, and of an answer.
shape <- function(value) {
  if (is.data.frame(value)) {
    columns <- lapply(names(value), function(name) {
      list(name = name, type = class(value[[name]])[1], missing = anyNA(value[[name]]))
    })
    return(list(type = "table", columns = columns))
  }
  sizes <- if (is.null(dim(value))) list(NULL) else c(list(NULL), as.list(dim(value)[-1]))
  if (is.factor(value)) return(list(type = "array", dtype = "factor", shape = sizes))
  if (is.atomic(value)) return(list(type = "array", dtype = typeof(value), shape = sizes))
  if (is.list(value) && !is.null(names(value))) {
    return(list(type = "object", fields = lapply(unclass(value), shape)))
  }
  list(type = class(value)[1])
}

put <- function(folder, name, content) {
  con <- file(file.path(folder, name), open = "wb")
  on.exit(close(con))
  writeLines(enc2utf8(as.character(content)), con, useBytes = TRUE)
}

# --------------------------------------------------------------------------------- the question

asked <- jsonlite::fromJSON(question, simplifyVector = FALSE)
answer <- tryCatch(
  list(answer = suppressWarnings(suppressMessages(
    do.call(switch(asked$what, survey = survey, export = export), asked$with)
  ))),
  error = function(error) list(error = conditionMessage(error))
)
# IRkernel evaluates no user_expressions. What is paged goes to the asker alone.
getOption("pager")(character(), character(), as.character(json(answer)), FALSE)

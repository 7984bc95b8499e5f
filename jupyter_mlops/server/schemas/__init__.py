"""Bodies of requests and answers, as pydantic models. Imported when the first request comes."""
